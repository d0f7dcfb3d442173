package testsuite

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vitc/driver"
	"vitc/driver/draw"
	"vitc/ir"
	"vitc/passes"
)

// The chapter docs/sharding.md, its programs, and the ring that it takes apart.
var (
	chapter      = filepath.Join("..", "docs", "sharding.md")
	shardingFile = filepath.Join("testdata", "sharding", "matmul.vit")
	ringFile     = filepath.Join("testdata", "sharding", "ring.ir")
	mlpFile      = filepath.Join("testdata", "sharding", "mlp.vit") // large enough for overlap to pay
)

// TestShardingChapter: what the chapter quotes is what there is, in its order. A block of code says
// behind its language of what its lines are: vit and ir blocks of the program after a pass (after
// overlap, of the larger one), or of the rings. Three dots stand for what is left out.
func TestShardingChapter(t *testing.T) {
	text, err := os.ReadFile(chapter)
	if err != nil {
		t.Fatal(err)
	}
	quoted := 0
	for _, block := range strings.Split(string(text), "\n```")[1:] {
		head, body, ok := strings.Cut(block, "\n")
		kind := strings.Fields(head)
		if !ok || len(kind) != 2 {
			continue
		}
		source := sourceOf(t, kind[1])
		for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
			if line = strings.TrimSpace(line); line == "" || line == "..." {
				continue
			}
			quoted++
			at := slices.IndexFunc(source, quotedBy(line).MatchString)
			if at < 0 {
				t.Errorf("%s quotes of %s\n%s\nwhich is not there, or not behind the line before", chapter, kind[1], line)
				continue
			}
			source = source[at+1:]
		}
	}
	if quoted < 45 {
		t.Errorf("only %d lines are quoted", quoted)
	}
}

// quotedBy matches the lines that a quotation may stand for.
func quotedBy(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*") + "$")
}

// sourceOf is the lines that a block may quote.
func sourceOf(t *testing.T, name string) []string {
	t.Helper()
	var text []byte
	var err error
	switch name {
	case "matmul.vit":
		text, err = os.ReadFile(shardingFile)
	case "mlp.vit":
		text, err = os.ReadFile(mlpFile)
	case "ring":
		text, err = os.ReadFile(ringFile)
	case "asynchronous":
		a := archived(t, filepath.Join("testdata", "passes", name, "ring.txtar"))
		text = a.Files[len(a.Files)-1].Data
	case "ring-shared":
		a := archived(t, filepath.Join("testdata", "passes", "overlap", name+".txtar"))
		text = a.Files[len(a.Files)-1].Data
	case "overlap":
		text = []byte(overlapped(t, mlpFile, false).String())
	default:
		text, err = driver.Dump(t.Context(), driver.NewSources(), driver.DumpRequest{Stage: name, Target: "ref",
			Source: driver.Source{File: shardingFile, Plan: "grid"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(text), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// TestRingOfTheChapter: the ring is a program that the verifier takes, and computes the product.
func TestRingOfTheChapter(t *testing.T) {
	text, err := os.ReadFile(ringFile)
	if err != nil {
		t.Fatal(err)
	}
	ring := parsed(t, string(text))
	if err := ir.Verify(ring); err != nil {
		t.Fatal(err)
	}
	whole := parsed(t, `ir differentiated
func @product(%x: f32[batch:64, width:32] input="x", %w: f32[width:32, mlp:128] input="w") -> (f32[batch:64, mlp:128] output="h") {
  %h: f32[batch:64, mlp:128] = dot %x, %w [bw,wm->bm]
  yield %h
}`)
	checkMesh(t, whole, ring)
}

// overlapped takes a program with a plan grid through the passes of XLA, whose last is overlap. Eager,
// it exchanges whether it pays or not, and leaves small collectives as they are: collectives would make
// one of them.
func overlapped(t *testing.T, file string, eager bool) *ir.Module {
	t.Helper()
	p := laidOut(t, file)
	names := passes.Pipeline("xla")
	if eager {
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "collectives" })
	}
	runPasses(t, p.Module, names, passes.Config{Plan: p.Chosen(), Eager: eager})
	return p.Module
}

func laidOut(t *testing.T, file string) *ir.Program {
	t.Helper()
	p, _, err := driver.Load(driver.NewSources(), driver.Source{File: file, Plan: "grid"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// resized is the larger program with other sizes.
func resized(t *testing.T, width, mlp, batch string) string {
	t.Helper()
	text, err := os.ReadFile(mlpFile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mlp.vit")
	text = []byte(strings.NewReplacer("4096", width, "16384", mlp, "131072", batch).Replace(string(text)))
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestExchangesOfTheChapter: the exchanges compute what one device does, and are made where the
// chapter says that they pay: two of three sends each in the larger program; with 1,024 rows on a
// device a block is made sooner than it is sent, so that the one without a cover stays; in the small
// program none pays. Nor does a ring in any of them: the weights of both products come in time. Where
// that is not asked, both products wait in rings of three sends.
func TestExchangesOfTheChapter(t *testing.T) {
	sends := func(m *ir.Module) int { return strings.Count(m.String(), " = permute ") }
	small := resized(t, "32", "128", "64")
	whole, exchanged := laidOut(t, small).Module, overlapped(t, small, true)
	runPasses(t, whole, passes.Pipeline("ref"), passes.Config{})
	checkMesh(t, whole, exchanged)
	for _, c := range []struct {
		what string
		m    *ir.Module
		want int
	}{
		{"the small program where exchanges and rings are made whether they pay or not", exchanged, 12},
		{"the larger program", overlapped(t, mlpFile, false), 6},
		{"the small program", overlapped(t, small, false), 0},
		{"the larger program with fewer rows", overlapped(t, resized(t, "4096", "16384", "4096"), false), 3},
	} {
		if got := sends(c.m); got != c.want {
			t.Errorf("%s sends %d blocks, expected %d", c.what, got, c.want)
		}
	}
}

// TestPictures: the chapter's pictures are those that vitc draws; -update draws them anew.
func TestPictures(t *testing.T) {
	drawn, err := driver.Draw(driver.NewSources(), driver.DrawRequest{Path: "up", Stage: "partition", Source: driver.Source{File: shardingFile, Plan: "grid"}})
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := driver.Draw(driver.NewSources(), driver.DrawRequest{Path: "down", Stage: "overlap", Source: driver.Source{File: mlpFile, Plan: "grid"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(ringFile)
	if err != nil {
		t.Fatal(err)
	}
	ring := parsed(t, string(text))
	around := draw.SVG(draw.Steps(ring, ring.Func("product"), ""))
	for name, picture := range map[string][]byte{"matmul.svg": drawn, "ring.svg": around, "exchange.svg": exchange} {
		file := filepath.Join("..", "docs", "pictures", name)
		if *update {
			if err := os.WriteFile(file, picture, 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(have, picture) {
			t.Errorf("%s is not what vitc draws (%v); go test ./testsuite -run TestPictures -update draws it", file, err)
		}
	}
}
