package testsuite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// TestPasses runs the cases of testdata/passes/PASS/NAME.txtar: the module in, taken through the
// pass, is the module out, and computes what it computed. A case's comment says what it shows;
// a line "before: PASS.." there names passes that come first.
func TestPasses(t *testing.T) {
	for _, p := range passes.Table() {
		files, err := filepath.Glob(filepath.Join("testdata", "passes", p.Name, "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("the pass %s has no case", p.Name)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			t.Run(p.Name+"/"+name, func(t *testing.T) { passCase(t, p.Name, file) })
		}
	}
}

func passCase(t *testing.T, pass, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Files) == 0 || a.Files[0].Name != "in" || len(a.Comment) == 0 {
		t.Fatalf("%s: expected a comment, then the file in, then the file out", file)
	}
	m := parsed(t, string(a.Files[0].Data))
	c := passes.Config{Plan: planOf(t, a), Ordered: pass == "order", Eager: true}
	runPasses(t, m, before(string(a.Comment)), c)
	text := m.String()
	runPasses(t, m, []string{pass}, c)
	compareText(t, file, a, m.String())
	if again := parsed(t, m.String()).String(); again != m.String() {
		t.Errorf("%s reads back as %s", m, again)
	}
	switch {
	case pass == "autodiff":
		checkDifferences(t, parsed(t, text), m)
	case pass == "micro": // its gradients are computed once they are differentiated
		whole, sliced := parsed(t, text), parsed(t, m.String())
		runPasses(t, whole, []string{"autodiff"}, passes.Config{})
		runPasses(t, sliced, []string{"autodiff"}, passes.Config{})
		checkAbout(t, whole, sliced)
	case pass == "propagate" || pass == "order":
		checkAbout(t, parsed(t, text), m)
	case parsed(t, string(a.Files[0].Data)).Phase == ir.Partitioned:
		checkDevices(t, parsed(t, text), m)
	case m.Phase == ir.Partitioned:
		whole := parsed(t, string(a.Files[0].Data))
		runPasses(t, whole, mathPasses(string(a.Comment)), passes.Config{})
		checkMesh(t, whole, m)
	default:
		checkNumbers(t, parsed(t, text), m)
	}
}

// planOf reads a case's plan, its file after the first; nil if it has none.
func planOf(t *testing.T, a *txtar.Archive) *ir.Plan {
	t.Helper()
	if len(a.Files) < 2 || a.Files[1].Name != "plan" {
		return nil
	}
	p, err := irtest.Plan(string(a.Files[1].Data))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsed(t *testing.T, text string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// before lists the passes that a case's comment asks for.
func before(comment string) []string {
	for _, line := range strings.Split(comment, "\n") {
		if names, ok := strings.CutPrefix(line, "before: "); ok {
			return strings.Fields(names)
		}
	}
	return nil
}

func runPasses(t *testing.T, m *ir.Module, names []string, c passes.Config) {
	t.Helper()
	if err := passes.Run(m, names, passes.Options{Config: c}); err != nil {
		t.Fatal(err)
	}
}

// compareText compares with the file out, or rewrites it under -update.
func compareText(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	given := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "out" })
	if *update {
		if given >= 0 {
			a.Files = a.Files[:given]
		}
		a.Files = append(a.Files, txtar.File{Name: "out", Data: []byte(got)})
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if given < 0 {
		t.Fatalf("%s has no file out: go test ./testsuite -run TestPasses -update writes it", file)
	}
	if d := cmp.Diff(string(a.Files[given].Data), got); d != "" {
		t.Errorf("%s (-want +got; go test ./testsuite -run TestPasses -update accepts it):\n%s", file, d)
	}
}

// arguments draws the same numbers for equal parameters: floats from -1 to 1, i32 from 0 to 5.
func arguments(f *ir.Func) []*interp.Tensor {
	rnd := rand.New(rand.NewPCG(1, 1))
	args := make([]*interp.Tensor, len(f.Body.Params))
	for i, p := range f.Body.Params {
		args[i] = interp.New(p.Type)
		for k := range args[i].F {
			switch d := p.Type.DType; {
			case d.Float():
				args[i].F[k] = math.Round(rnd.Float64()*256-128) / 128 // exact in every float dtype
			case d == ir.I32:
				args[i].F[k] = float64(rnd.IntN(6))
			default:
				args[i].F[k] = d.Round(float64(rnd.Uint32()))
			}
		}
	}
	return args
}

func interpret(t *testing.T, f *ir.Func, args []*interp.Tensor, o interp.Options) []*interp.Tensor {
	t.Helper()
	out, err := interp.Run(f, args, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkNumbers compares what two modules compute, to the last bit.
func checkNumbers(t *testing.T, before, after *ir.Module) {
	t.Helper()
	for i, f := range before.Funcs {
		want := interpret(t, f, arguments(f), interp.Options{})
		for k, got := range interpret(t, after.Funcs[i], arguments(after.Funcs[i]), interp.Options{}) {
			same := func(a, b float64) bool { return a == b || a != a && b != b }
			if !slices.EqualFunc(want[k].F, got.F, same) {
				t.Errorf("@%s: result %d was %v, is %v", f.Name, k+1, want[k].F, got.F)
			}
		}
	}
}

// checkDevices compares what each device of two partitioned modules computes, to the last bit.
func checkDevices(t *testing.T, before, after *ir.Module) {
	t.Helper()
	for i, f := range before.Funcs {
		args := make([][]*interp.Tensor, before.Mesh.Devices())
		for d := range args {
			args[d] = arguments(f)
			for _, x := range args[d] {
				x.F[0] = x.Type.DType.Round(float64(d))
			}
		}
		want, err := interp.RunMesh(before.Mesh, f, args, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := interp.RunMesh(after.Mesh, after.Funcs[i], args, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for d := range want {
			for k, w := range want[d] {
				if !slices.Equal(w.F, got[d][k].F) {
					t.Errorf("@%s: device %d's result %d was %v, is %v", f.Name, d, k+1, w.F, got[d][k].F)
				}
			}
		}
	}
}

// Sums in another order differ by some roundings of f32.
const meshTolerance = 1e-5

// checkAbout compares what two modules compute, but for the order of sums.
func checkAbout(t *testing.T, before, after *ir.Module) {
	t.Helper()
	for i, f := range before.Funcs {
		want := interpret(t, f, arguments(f), interp.Options{})
		for k, got := range interpret(t, after.Funcs[i], arguments(f), interp.Options{}) {
			for e, x := range want[k].F {
				if y := got.F[e]; !(math.Abs(x-y) <= meshTolerance*max(1, math.Abs(x))) {
					t.Errorf("@%s: result %d [%d] was %g, is %g", f.Name, k+1, e, x, y)
				}
			}
		}
	}
}

// checkMesh compares what the devices of a mesh compute together with what one computes.
func checkMesh(t *testing.T, before, after *ir.Module) {
	t.Helper()
	if err := meshDiffers(t, before, after); err != nil {
		t.Error(err)
	}
}

// meshDiffers says where a mesh computes something else than one device does.
func meshDiffers(t *testing.T, before, after *ir.Module) error {
	t.Helper()
	for i, f := range before.Funcs {
		want, types := interpret(t, f, arguments(f), interp.Options{}), []ir.Type{}
		for _, v := range f.Body.Yield {
			types = append(types, v.Type.Sharded(nil))
		}
		got, err := interp.RunWhole(after.Mesh, after.Funcs[i], arguments(f), types, interp.Options{})
		if err != nil {
			return err
		}
		for k, w := range want {
			for e, x := range w.F {
				if y := got[k].F[e]; !(math.Abs(x-y) <= meshTolerance*max(1, math.Abs(x))) {
					return fmt.Errorf("@%s: result %d [%d] was %g, is %g", f.Name, k+1, e, x, y)
				}
			}
		}
	}
	return nil
}

// checkDifferences compares every gradient by a parameter that is a result with central
// differences of the loss. Gradients past a stop are what no difference shows.
func checkDifferences(t *testing.T, before, after *ir.Module) {
	t.Helper()
	for i, f := range before.Funcs {
		got := interpret(t, after.Funcs[i], arguments(f), interp.Options{Exact: true})
		for at, op := range f.Body.Ops {
			if op.Row.Name != "grad" {
				continue
			}
			loss := lossOf(t, f, at)
			for k, d := range op.Out {
				param, result := slices.Index(f.Body.Params, op.In[k+1]), slices.Index(f.Body.Yield, d)
				if param < 0 || result < 0 {
					t.Fatalf("@%s: a gradient is not by a parameter, or no result", f.Name)
				}
				checkSlopes(t, loss, param, got[result].F)
			}
		}
	}
}

// lossOf is the function that stops before a grad and gives its loss, which may hold gradients.
func lossOf(t *testing.T, f *ir.Func, at int) *ir.Func {
	t.Helper()
	loss := f.Body.Ops[at].In[0]
	body := &ir.Region{Params: f.Body.Params, Ops: f.Body.Ops[:at], Yield: []*ir.Value{loss}}
	g := &ir.Func{Name: f.Name, Args: f.Args, Results: []ir.Port{{Role: ir.RoleMetric, Name: "loss"}},
		Body: body.Clone(map[*ir.Value]*ir.Value{})}
	if slices.ContainsFunc(body.Ops, func(op *ir.Op) bool { return op.Row.Name == "grad" }) {
		runPasses(t, &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{g}}, []string{"autodiff"}, passes.Config{})
	}
	return g
}

// Differences over 2⁻¹⁵ of functions of this size err by some 10⁻⁸.
func checkSlopes(t *testing.T, loss *ir.Func, param int, got []float64) {
	t.Helper()
	const h, tolerance = 0x1p-15, 1e-6
	stopped := false
	loss.Body.Walk(func(op *ir.Op) { stopped = stopped || op.Row.Name == "stop" })
	if stopped {
		return
	}
	args := arguments(loss)
	at := func(k int, x float64) float64 {
		old := args[param].F[k]
		args[param].F[k] = x
		y := interpret(t, loss, args, interp.Options{Exact: true})[0].F[0]
		args[param].F[k] = old
		return y
	}
	for k, x := range args[param].F {
		if want := (at(k, x+h) - at(k, x-h)) / (2 * h); !(math.Abs(got[k]-want) <= tolerance*max(1, math.Abs(want))) {
			t.Errorf("the gradient by %s [%d] is %g, differences give %g", loss.Args[param].Name, k, got[k], want)
		}
	}
}
