package testsuite

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/driver"
	"vitc/ir/diag"
	"vitc/runtime/train"
)

// history observes a run: what each step and evaluation measured.
type history struct {
	t      *testing.T
	losses []float64
	all    []train.Metric // but for seconds
}

func (h *history) Begin(train.Begin) error           { return nil }
func (h *history) Evaluating(string, int, int) error { return nil }
func (h *history) Saved(int, string) error           { return nil }
func (h *history) Warn(d *diag.Diagnostic)           { h.t.Log(d) }

func (h *history) Step(s train.Step) error {
	h.losses = append(h.losses, s.Metrics[0].Value)
	h.all = append(h.all, s.Metrics...)
	return nil
}

func (h *history) Eval(e train.Eval) error {
	h.all = append(h.all, e.Metrics...)
	return nil
}

// soundSeed is one whose first hundred steps magnify no rounding; see fashionSeeds.
var soundSeed uint64 = 1

// trained trains a program, fashion.vit unless another is named, for some steps under a plan, or on
// some devices.
func trained(t *testing.T, target string, steps int, q driver.Source) *history {
	t.Helper()
	if q.File == "" {
		q.File = filepath.Join(root, "examples", "fashion.vit")
	}
	job, err := driver.OpenJob(driver.NewSources(), q, target)
	if err != nil {
		t.Fatal(err)
	}
	job.Program.DropPredictions()
	h := &history{t: t}
	r, err := train.Open(job.Program, train.Options{Steps: steps, Seed: &soundSeed, Workers: 1, Observer: h})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := driver.MachineOptions{Threads: 2}
	b, err := driver.Build(context.Background(), job.Program, job.Target, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := r.Train(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	return h
}

const deviceStepsEnv = "VITC_DEVICES_STEPS"

// deviceSteps is for how long the tests below train: `make devices` takes a hundred steps, over
// which rounding has time to grow.
func deviceSteps(t *testing.T) int {
	text := os.Getenv(deviceStepsEnv)
	if text == "" {
		return 8
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// lossTolerance is relative: a loss of 2.3 that differs by some last bits of f32 after a step does so
// by 10⁻⁴ after a hundred.
const lossTolerance = 1e-4

func closeLosses(t *testing.T, name string, want, got []float64) {
	t.Helper()
	worst := 0.0
	for i, w := range want {
		worst = max(worst, math.Abs(got[i]-w)/w)
	}
	t.Logf("%s: losses of %d steps differ by %.2g at most", name, len(want), worst)
	if !(worst <= lossTolerance) {
		t.Errorf("%s: losses are %v\n on one device %v", name, got, want)
	}
}

// Eight virtual devices train fashion.vit as one does, natively: sharing examples, parameters, the
// insides of layers, and all at once.
func TestFashionOnDevices(t *testing.T) {
	_, err := toolchain.Find()
	llvmtest.SkipWithout(t, err)
	steps := deviceSteps(t)
	one := trained(t, "cpu", steps, driver.Source{})
	for _, plan := range []string{"fsdp", "tp", "mixed"} {
		closeLosses(t, plan, one.losses, trained(t, "cpu", steps, driver.Source{Plan: plan}).losses)
	}
	// Sharing examples alone changes no bit, mixup included.
	first := trained(t, "cpu", steps, driver.Source{Devices: 1})
	for name, q := range map[string]driver.Source{"dp": {Plan: "dp"}, "2 devices": {Devices: 2}, "4 devices": {Devices: 4}, "8 devices": {Devices: 8}} {
		if got := trained(t, "cpu", steps, q); !slices.Equal(first.all, got.all) {
			t.Errorf("%s: measured %v\n on one device %v", name, got.all, first.all)
		}
	}
}

// So do devices of XLA. Its compiler takes long for each of the program's functions: without
// `make devices` a smaller one has to do, and the interpreter to compare with.
func TestFashionOnXLADevices(t *testing.T) {
	skipWithoutXLA(t)
	steps, file, target, plans := deviceSteps(t), tinyWithPlan(t), "ref", []string{"mixed"}
	if os.Getenv(deviceStepsEnv) != "" {
		file, target, plans = "", "xla", []string{"dp", "fsdp", "tp", "mixed"}
	}
	one := trained(t, target, steps, driver.Source{File: file})
	for _, plan := range plans {
		closeLosses(t, plan, one.losses, trained(t, "xla", steps, driver.Source{File: file, Plan: plan}).losses)
	}
}

// tinyWithPlan writes tiny.vit with its data and a plan to a folder.
func tinyWithPlan(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", "tiny.vit"))
	if err == nil {
		err = tinyData(dir)
	}
	file := filepath.Join(dir, "tiny.vit")
	if err == nil {
		err = os.WriteFile(file, append(text, tinyPlan...), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const tinyPlan = `
plan mixed for tiny { devices: cpu(8), mesh: (data: 2, keep: 2, model: 2), shard { batch: (data, keep), mlp: model, heads: model, params.width: keep } }
`
