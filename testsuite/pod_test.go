package testsuite

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/driver"
	"vitc/runtime/hlo/report"
	"vitc/runtime/pjrt"
)

// TestTPUCompilerTakesPrograms compiles a small ViT for four v4 chips, divided by either
// partitioner, and reads the bundle back. Skipped where there is no TPU compiler.
func TestTPUCompilerTakesPrograms(t *testing.T) {
	var none *pjrt.NotFoundError
	if _, err := pjrt.Find(pjrt.TPU); errors.As(err, &none) {
		t.Skip(err)
	}
	for _, partitioner := range driver.Partitioners() {
		t.Run(partitioner, func(t *testing.T) {
			pod, _, err := driver.LowerPod(driver.NewSources(), driver.PodRequest{Target: "tpu:v4:2x2x1", Partitioner: partitioner,
				Source: driver.Source{File: filepath.Join("testdata", "pod.vit")}})
			if err != nil {
				t.Fatal(err)
			}
			built, err := pod.Compile(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := built.Encode(&file); err != nil {
				t.Fatal(err)
			}
			checkPod(t, pod, built, file.Bytes())
			checkPodReport(t, pod, built, file.Bytes())
		})
	}
}

// checkPod reads a bundle back.
func checkPod(t *testing.T, pod *driver.PodProgram, built *driver.PodBuilt, file []byte) {
	t.Helper()
	b, err := codegen.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Part(driver.PartStableHLO), pod.Text) {
		t.Error("the bundle holds another program")
	}
	for _, name := range []string{driver.PartOptions, driver.PartCompile, driver.PartExecutable, driver.PartOptimized, driver.PartMemory} {
		if len(b.Part(name)) == 0 {
			t.Errorf("the bundle has no %s", name)
		}
	}
	if m := built.Result.Memory; m.Peak <= 0 || m.Peak > 1<<30 || m.Aliased < m.Arguments/2 {
		t.Errorf("memory: %+v: the state is to be updated in place, within a GiB", m)
	}
}

// checkPodReport reads what `vitc report` says of a bundle, as its JSON has it: what does not hang
// on how the compiler schedules.
func checkPodReport(t *testing.T, pod *driver.PodProgram, built *driver.PodBuilt, file []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "laid.vitb")
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
	made, err := driver.ReportPod(driver.PodReportRequest{File: path})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.Program != "step" || r.Topology != "tpu:v4:2x2x1" || r.Chip != "TPU v4" || r.Devices != 4 || r.ModelFlops != pod.ModelFlops || r.Notice != report.Notice {
		t.Errorf("the head: %s %s %s %d %g %q", r.Program, r.Topology, r.Chip, r.Devices, r.ModelFlops, r.Notice)
	}
	if m, c := r.Memory, built.Result.Memory; m.Capacity != 32<<30 || math.Abs(m.Arguments/float64(c.Arguments)-1) > 0.01 || m.Compiler == nil || m.Compiler.Peak != c.Peak {
		t.Errorf("arguments of %g bytes of %g, by the compiler %+v", m.Arguments, m.Capacity, c)
	}
	checkTime(t, r.Estimate)
	checkTime(t, r.ByHBM)
	if want := r.ModelFlops / (4 * 275e12) / r.Estimate.Step; r.MFU != want || r.MFU > r.MFUByHBM || r.MFUByHBM >= 1 {
		t.Errorf("MFU %g and %g, want %g", r.MFU, r.MFUByHBM, want)
	}
	checkLists(t, &r)
}

// checkTime: the parts of a step are all of it.
func checkTime(t *testing.T, p report.Parts) {
	t.Helper()
	sum := p.Matmul + p.Other + p.Unestimated + p.Stall + p.Exposed
	if p.Step <= 0 || math.Abs(sum-p.Step) > 1e-9*p.Step || p.Matmul <= 0 || p.Other <= 0 || p.Exposed < p.ExposedSync || p.Async+p.Sync <= 0 {
		t.Errorf("parts that make %g: %+v", sum, p)
	}
}

// checkLists: collectives run along axes of the mesh, those of products come from lines, and the
// slowest instructions stand first.
func checkLists(t *testing.T, r *report.Report) {
	t.Helper()
	axes, placed := map[string]bool{}, 0
	for _, c := range r.Collectives {
		axes[c.Axis] = true
		if strings.Contains(c.Where, ".vit:") {
			placed++
		}
		if c.Bytes <= 0 || c.Seconds <= 0 || c.Exposed < 0 || c.Times < 1 {
			t.Errorf("%+v", c)
		}
	}
	if !axes["data"] || !axes["model"] || 2*placed < len(r.Collectives) {
		t.Errorf("collectives along %v, %d of %d with a line", axes, placed, len(r.Collectives))
	}
	sorted := slices.IsSortedFunc(r.Slowest, func(a, b report.Slow) int { return cmp.Compare(b.Seconds, a.Seconds) })
	if len(r.Slowest) != 20 || !sorted || r.Slowest[0].Share > 1 {
		t.Errorf("%d slowest instructions, in order: %v; %+v", len(r.Slowest), sorted, r.Slowest)
	}
}
