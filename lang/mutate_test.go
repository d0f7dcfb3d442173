package lang

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir"
)

// mutants are what tokens are replaced by, beside other tokens of the program.
var mutants = strings.Fields(`0 1 -1 2 0.5 1e9 4G "a" true false width batch seq x w f32 real i32 u8 bool nn vit loss optim identity training freeze
	sum mean max dot concat iota one_hot expand axes without largest size len beta bernoulli normal uniform fixed where stop cast roll pad
	nn.Linear nn.zeros vit.B vit.Gap vit.Block optim.AdamW optim.cosine [] () ... repeat for fn axis param state let`)

// mutate replaces, drops or doubles a few tokens of a program.
func mutate(r *rand.Rand, src string) string {
	words := strings.FieldsFunc(src, func(c rune) bool { return strings.ContainsRune(" \t\n()[]{},:", c) })
	for range 1 + r.IntN(3) {
		old, by := words[r.IntN(len(words))], words[r.IntN(len(words))]
		if r.IntN(2) == 0 {
			by = mutants[r.IntN(len(mutants))]
		}
		switch n := strings.Count(src, old); r.IntN(4) {
		case 0:
			src = strings.Replace(src, old, by, 1)
		default:
			i := 0
			for range r.IntN(n + 1) {
				k := strings.Index(src[i:], old)
				if k < 0 {
					break
				}
				i += k + len(old)
			}
			if k := strings.Index(src[i:], old); k >= 0 {
				src = src[:i+k] + by + src[i+k+len(old):]
			}
		}
	}
	return src
}

// seeds are programs to begin from: the studies, and the programs with errors.
func seeds(t testing.TB) []string {
	var out []string
	for _, pattern := range []string{"testdata/studies/*.vit", "../examples/*.vit", "testdata/errors/*.txtar", "testdata/lower/*.txtar"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, ".vit") {
				src, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, string(src))
				continue
			}
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range archive.Files {
				if strings.HasSuffix(f.Name, ".vit") {
					out = append(out, string(f.Data))
				}
			}
		}
	}
	return out
}

// survives checks and lowers a program, whatever it is: no panic, no broken invariant, no
// module that the verifier refuses, no end that does not come.
func survives(t *testing.T, src string) {
	t.Helper()
	watch := time.AfterFunc(30*time.Second, func() { panic("this takes too long:\n" + src) })
	defer func() {
		watch.Stop()
		if e := recover(); e != nil {
			t.Errorf("panic %v on\n%s", e, src)
			panic(e)
		}
	}()
	u, list := Load("m.vit", []byte(src), func(path string) ([]byte, error) {
		if path == "vit22b.vit" || path == "augreg-b16.vit" {
			return os.ReadFile("testdata/studies/" + path)
		}
		return nil, fs.ErrNotExist
	})
	if list.Errors() > 0 {
		return
	}
	for _, d := range Check(u) {
		if d.Code == codeBug {
			t.Errorf("%s\n%s", rendered(t, u, append(list, d)), src)
		}
	}
	for _, train := range u.Trains() {
		p, list := Lower(u, train, Options{})
		if p == nil && list.Errors() == 0 {
			t.Errorf("neither program nor error:\n%s", src)
		}
		if p != nil {
			if err := ir.Verify(p.Module); err != nil {
				t.Errorf("%v\n%s", err, src)
			}
		}
	}
}

func TestMutations(t *testing.T) {
	all := seeds(t)
	r := rand.New(rand.NewPCG(1, 2))
	n := 150
	if testing.Short() {
		n = 30
	}
	for range n {
		survives(t, mutate(r, all[r.IntN(len(all))]))
		if t.Failed() {
			return
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) { survives(t, src) })
}

// What would never end, or fill the memory, is an error soon.
func TestRunaways(t *testing.T) {
	doubled := func(first, each, last string) string {
		var b strings.Builder
		b.WriteString("edition 1\nuse nn\n" + first)
		for i := 1; i < 60; i++ {
			b.WriteString(strings.NewReplacer("NOW", strconv.Itoa(i), "BEFORE", strconv.Itoa(i-1)).Replace(each))
		}
		return b.String() + last
	}
	for name, src := range map[string]string{
		"calls": doubled("fn f0(x: [...]) -> [...] { x }\n", "fn fNOW(x: [...]) -> [...] { fBEFORE(x) + fBEFORE(x) }\n",
			"module M() {\n  axis w = 2\n  fn (x: [w]) -> [w] { f59(x) }\n}\nmodel m = M()\n"),
		"instances": doubled("module M0() {\n  param p: f32[] = nn.zeros\n}\n", "module MNOW() {\n  let a = MBEFORE()\n  let b = MBEFORE()\n}\n", "model m = M59()\n"),
		"lists":     doubled("let l0 = [1]\n", "let lNOW = lBEFORE + lBEFORE\n", ""),
		"strings":   doubled("let s0 = \"a\"\n", "let sNOW = \"{sBEFORE}{sBEFORE}\"\n", ""),
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			u, list := Load("m.vit", []byte(src), nil)
			if list = append(list, Check(u)...); list.Errors() == 0 || list[0].Code != codeRecursion {
				t.Errorf("found %v", list)
			}
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("takes %v", took)
			}
		})
	}
}
