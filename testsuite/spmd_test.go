package testsuite

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vitc/driver"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
)

// onePasses are those of one device.
var onePasses = []string{"simplify", "micro", "autodiff", "simplify", "precision", "simplify"}

// meshPasses lay a program out over a plan's mesh.
var meshPasses = []string{"order", "propagate", "partition"}

func loaded(t *testing.T, file string) *ir.Module {
	t.Helper()
	p, _, err := driver.Load(driver.NewSources(), driver.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return p.Module
}

// TestPlansKeepPrograms runs every function of a whole program on meshes of devices: what they
// initialise, train and evaluate is what one device does. Draws are the same to the last bit.
func TestPlansKeepPrograms(t *testing.T) {
	file := filepath.Join("testdata", "tiny.vit")
	one := loaded(t, file)
	runPasses(t, one, onePasses, passes.Config{})
	for name, text := range map[string]string{
		"data":   "mesh data:4\nbatch: data",
		"fsdp":   "mesh data:4\nbatch: data\nparams.width: data\nparams.mlp: data",
		"tensor": "mesh data:2 model:2\nbatch: data\nmlp: model\nheads: model",
		"all":    "mesh data:2 model:2\nbatch: data\nmlp: model\nheads: model\nwidth: model\nparams.width: data",
		"other":  "mesh model:2\nclasses: model\nseq: model",
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := irtest.Plan(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, ordered := range []bool{false, true} {
				many := loaded(t, file)
				runPasses(t, many, slices.Concat(onePasses, meshPasses), passes.Config{Plan: plan, Ordered: ordered})
				for i, f := range one.Funcs {
					checkSpread(t, f, many, many.Funcs[i])
				}
			}
		})
	}
}

// checkSpread holds a function on a mesh against the same one on one device.
func checkSpread(t *testing.T, f *ir.Func, m *ir.Module, g *ir.Func) {
	t.Helper()
	args, types := stateOf(f), []ir.Type{}
	for _, v := range f.Body.Yield {
		types = append(types, v.Type)
	}
	want := interpret(t, f, args, interp.Options{})
	got, err := interp.RunWhole(m.Mesh, g, args, types, interp.Options{})
	if err != nil {
		t.Fatalf("@%s: %v", f.Name, err)
	}
	tolerance := meshTolerance
	if f.Name == "init" {
		tolerance = 0
	}
	for k, w := range want {
		for e, x := range w.F {
			if y := got[k].F[e]; !(x == y || x != x && y != y || math.Abs(x-y) <= tolerance*max(1, math.Abs(x))) {
				t.Fatalf("@%s: %s [%d] is %g on one device and %g on the mesh", f.Name, f.Results[k].Name, e, x, y)
			}
		}
	}
}

// stateOf draws arguments: what is squared or counted is not negative.
func stateOf(f *ir.Func) []*interp.Tensor {
	rnd := rand.New(rand.NewPCG(1, 1))
	args := make([]*interp.Tensor, len(f.Body.Params))
	for i, p := range f.Body.Params {
		args[i] = interp.New(p.Type)
		for k := range args[i].F {
			x := rnd.NormFloat64() * 0.1
			switch port := f.Args[i]; {
			case !p.Type.DType.Float():
				x = float64(rnd.IntN(10))
			case port.Role == ir.RoleAcc || strings.HasPrefix(port.Name, "opt."):
				x = math.Abs(x)
			}
			args[i].F[k] = p.Type.DType.Round(x)
		}
	}
	return args
}

// TestViT22BOnAPod lays the largest model out over 1,024 devices. What that takes does not grow
// with its 48 layers, nor with the devices; the bound of a second leaves room for a busy machine,
// a quiet one takes 0.2 s.
func TestViT22BOnAPod(t *testing.T) {
	for name, text := range map[string]string{
		"fsdp": "mesh data:64 model:16\nbatch: (data, model)\nparams.mlp: model\nparams.heads: model\nparams.rep: data\nparams.width: data",
		"tp4":  "mesh data:256 model:4\nbatch: data\nmlp: model\nheads: model\nparams.rep: data\nwidth: model\nparams.width: data",
	} {
		plan, err := irtest.Plan(text)
		if err != nil {
			t.Fatal(err)
		}
		plan.Devices = ir.Devices{Platform: "tpu", Chip: "v4", Shape: []int{8, 8, 16}}
		m := loaded(t, filepath.Join("..", "examples", "vit22b.vit"))
		runPasses(t, m, onePasses, passes.Config{Plan: plan})
		start, before := time.Now(), m.CountOps()
		runPasses(t, m, meshPasses, passes.Config{Plan: plan})
		took := time.Since(start)
		t.Logf("%s: %d ops become %d in %v", name, before, m.CountOps(), took)
		if took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if m.CountOps() > 2*before {
			t.Errorf("%s: %d ops become %d", name, before, m.CountOps())
		}
		for i, n := range sizes(m.Func("step")) {
			if n > 1<<30 {
				t.Errorf("%s: a device holds %d bytes of %s", name, n, m.Func("step").Args[i].Name)
			}
		}
	}
}

// sizes are the bytes of a function's arguments.
func sizes(f *ir.Func) []int {
	var n []int
	for _, p := range f.Body.Params {
		n = append(n, p.Type.Bytes())
	}
	return n
}
