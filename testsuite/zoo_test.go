package testsuite

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitc/driver"
)

// architecture is a row of the papers' tables, and what this library adds to it.
type architecture struct {
	file                     string
	patch, width, depth, mlp int
	pool                     string
	classes                  int
	batch                    int
	millions                 float64 // as the papers print it: without head and pool
}

var zoo = []architecture{
	{"ti16", 16, 192, 12, 768, "tok", 21841, 4096, 5.5},
	{"s16", 16, 384, 12, 1536, "tok", 21841, 4096, 21.7},
	{"s32", 32, 384, 12, 1536, "tok", 21841, 4096, 22.5},
	{"b16", 16, 768, 12, 3072, "tok", 21841, 4096, 85.8},
	{"b32", 32, 768, 12, 3072, "tok", 21841, 4096, 87.5},
	{"l16", 16, 1024, 24, 4096, "tok", 21841, 4096, 303},
	{"so400m14", 14, 1152, 27, 4304, "map", 29593, 4096, 412},
	{"h14", 14, 1280, 32, 5120, "tok", 29593, 4096, 631},
	{"giant14", 14, 1408, 40, 6144, "map", 29593, 4096, 1011},
	{"gigantic14", 14, 1664, 48, 8192, "map", 29593, 32768, 1843},
	{"e14", 14, 1792, 56, 15360, "map", 29593, 16384, 3805},
}

// Parameters by the closed formulas, written out apart from the library.

func (a architecture) tokens() int { return (224 / a.patch) * (224 / a.patch) }

// attention: four projections with biases.
func (a architecture) attention() int { return 4*a.width*a.width + 4*a.width }

func (a architecture) mlpBlock() int { return 2*a.width*a.mlp + a.mlp + a.width }

// body: patch embedding, positions, the blocks with two norms each, the last norm.
func (a architecture) body() int {
	embedding := a.patch*a.patch*3*a.width + a.width
	block := a.attention() + a.mlpBlock() + 2*2*a.width
	return embedding + a.tokens()*a.width + a.depth*block + 2*a.width
}

// poolSize is the class token, or probe, attention, norm and MLP of the attention pool.
func (a architecture) poolSize() int {
	if a.pool == "tok" {
		return a.width
	}
	return a.width + a.attention() + 2*a.width + a.mlpBlock()
}

func (a architecture) head() int { return a.width*a.classes + a.classes }

// forward: two FLOPs for each weight and token, and the two products of the tokens with
// each other; the pool works on one token but for its keys and values.
func (a architecture) forward() int {
	n, patches := a.tokens(), a.tokens()
	if a.pool == "tok" {
		n++
	}
	block := n*(4*a.width*a.width+2*a.width*a.mlp) + 2*n*n*a.width
	adds := patches*a.patch*a.patch*3*a.width + a.depth*block + a.width*a.classes
	if a.pool == "map" {
		adds += 2*n*a.width*a.width + 2*n*a.width + a.width*a.width + 2*a.width*a.mlp
	}
	return 2 * adds
}

func describeZoo(t *testing.T, file string) *driver.Summary {
	t.Helper()
	s, err := driver.Describe(driver.NewSources(), driver.Source{File: filepath.Join(root, "examples", "zoo", file+".vit")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func part(t *testing.T, s *driver.Summary, path string) *driver.Part {
	t.Helper()
	for _, p := range s.Parts {
		if p.Path == path {
			return p
		}
	}
	t.Fatalf("%s has no part %s", s.File, path)
	return nil
}

// TestZoo compares every model of the zoo with its formula and with what the papers print.
func TestZoo(t *testing.T) {
	for _, a := range zoo {
		t.Run(a.file, func(t *testing.T) {
			s := describeZoo(t, a.file)
			if s.Kind != "train" || s.Precision != "bf16" || s.Batch != a.batch {
				t.Errorf("%s in %s with batches of %d", s.Kind, s.Precision, s.Batch)
			}
			pool, head := part(t, s, "net.pool").Parameters, part(t, s, "net.head").Parameters
			body := s.Parameters - pool - head
			if body != a.body() || pool != a.poolSize() || head != a.head() {
				t.Errorf("body, pool, head have %d, %d, %d parameters, want %d, %d, %d", body, pool, head, a.body(), a.poolSize(), a.head())
			}
			if !printed(float64(body)/1e6, a.millions) {
				t.Errorf("%.3f M parameters, the table prints %g M", float64(body)/1e6, a.millions)
			}
			probe := 0.0 // the pool's query is made once for the whole batch
			if a.pool == "map" {
				probe = math.Round(2 * float64(a.width*a.width) / float64(a.batch))
			}
			if got, want := s.FlopsForward, float64(a.forward())+probe; got != want {
				t.Errorf("forward costs %.0f FLOPs, want %.0f", got, want)
			}
		})
	}
}

// printed reports whether x rounds to a number as it is printed.
func printed(x, number float64) bool {
	unit := 1.0
	if number != math.Trunc(number) {
		unit = 0.1
	}
	return math.Abs(x-number) <= unit/2
}

// TestPaperTotals holds two totals that "Scaling Vision Transformers to 22 Billion Parameters"
// prints: ViT-e's 3,926 M are with its pool and 29,593 classes; ViT-22B's 21,743 M are the
// matrices of its blocks.
func TestPaperTotals(t *testing.T) {
	if e := describeZoo(t, "e14"); !printed(float64(e.Parameters)/1e6, 3926) {
		t.Errorf("ViT-e has %d parameters, want 3,926 M", e.Parameters)
	}
	s, err := driver.Describe(driver.NewSources(), driver.Source{File: filepath.Join(root, "examples", "vit22b.vit")})
	if err != nil {
		t.Fatal(err)
	}
	const width, mlp, depth, classes = 6144, 24576, 48, 29593
	block := part(t, s, "net.encoder.block")
	if want := depth * (4*width*width + 2*width*mlp); block.InProducts != want || !printed(float64(want)/1e6, 21743) {
		t.Errorf("products multiply by %d parameters of the blocks, want %d", block.InProducts, want)
	}
	vectors := depth * (width + 2*128 + width + mlp + width) // norm, QK norms, and biases of out, up, down
	if want := block.InProducts + vectors; block.Parameters != want || block.Repeat != depth {
		t.Errorf("%d blocks have %d parameters, want %d", block.Repeat, block.Parameters, want)
	}
	if s.Parameters != 22_385_453_977 || 2*s.OptimizerBytes < s.ParameterBytes || 100*s.OptimizerBytes > 51*s.ParameterBytes {
		t.Errorf("%d parameters with %d bytes, optimizer state of %d bytes: want half", s.Parameters, s.ParameterBytes, s.OptimizerBytes)
	}
}

// TestDescribe22BAtOnce: `vitc describe` of the largest model takes less than a fifth of a second of
// processor time, whatever else the machine does: the best of a few runs.
func TestDescribe22BAtOnce(t *testing.T) {
	const within, runs = 200 * time.Millisecond, 5
	best := time.Hour
	for range runs {
		c := exec.Command("vitc", "describe", filepath.Join(root, "examples", "vit22b.vit")) // this binary, by its other name
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		best = min(best, c.ProcessState.UserTime()+c.ProcessState.SystemTime())
	}
	t.Logf("%v", best)
	if best > within {
		t.Errorf("took %v, more than %v", best, within)
	}
}

// TestZooIsWhole: every file of the zoo stands in the table, its names agree, and its
// comment prints the count that the table does. Hybrids, which have a _ in their names, have
// a table of their own.
func TestZooIsWhole(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples", "zoo", "*.vit"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no zoo: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".vit")
		if strings.Contains(name, "_") {
			continue
		}
		i := slices.IndexFunc(zoo, func(a architecture) bool { return a.file == name })
		if i < 0 {
			t.Errorf("%s is in no table", file)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := millions(zoo[i].millions); !strings.Contains(string(text), want) || !strings.Contains(string(text), "arXiv ") {
			t.Errorf("%s: the comment lacks %q or its source", file, want)
		}
		if !strings.Contains(string(text), "\nmodel "+name+" = ") {
			t.Errorf("%s has no model of its name", file)
		}
	}
}

// millions prints a table's number: 85.8 M, 1,011 M.
func millions(x float64) string {
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if x >= 1000 {
		s = s[:1] + "," + s[1:]
	}
	return s + " M"
}
