package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/topology"
	"vitc/runtime/hlo"
)

var update = flag.Bool("update", false, "write the golden files")

// program reads runtime/hlo's compiled example and says what it was compiled for.
func program(t testing.TB) (*hlo.Module, Machine) {
	t.Helper()
	b, err := os.ReadFile("../testdata/mlp.pb")
	if err != nil {
		t.Fatal(err)
	}
	m, err := hlo.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	where, err := topology.Parse("tpu:v4:2x2x1")
	if err != nil {
		t.Fatal(err)
	}
	return m, Machine{Topology: where, Mesh: ir.Mesh{{Name: "data", Size: 2}, {Name: "model", Size: 2}}}
}

// flops of the example's products: 3 passes, 4 layers, 2 products, 512 examples.
const flops = 3 * 4 * 2 * 2 * 512 * 1024 * 4096

func example(t testing.TB) *Report {
	t.Helper()
	m, on := program(t)
	r, err := New(m, on, flops)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEstimate holds the estimate to that of an independent program, which reads the text form
// of the same compiled program by regular expressions (shared/peers/tpu's tpu_estimate.py, run on
// compiled.as_text() beside the dump of the proto). It must agree within 1%; both add up the
// same numbers, so that what is seen is rounding.
func TestEstimate(t *testing.T) {
	r := example(t)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"raw step", r.Estimate.Step, 0.0017297603225396821},
		{"raw matmul", r.Estimate.Matmul, 0.00026512761904761903},
		{"raw other", r.Estimate.Other, 0.0004631238095238095},
		{"raw stall", r.Estimate.Stall, 6.9905066666666425e-06},
		{"raw exposed", r.Estimate.Exposed, 0.000994518387301587},
		{"raw exposed, synchronous", r.Estimate.ExposedSync, 0.0007068608888888888},
		{"raw hidden", r.Estimate.Hidden, 0.00047399654603174604},
		{"raw links", r.Estimate.Links, 0.001253687911111111},
		{"bytes", r.Estimate.Bytes, 54525956},
		{"synchronous", r.Estimate.Sync, 17},
		{"asynchronous", r.Estimate.Async, 16},
		{"MFU", r.MFU, 0.05417419751523002},
		{"hbm step", r.ByHBM.Step, 0.0014953192725095437},
		{"hbm other", r.ByHBM.Other, 0.00019688464978902953},
		{"hbm exposed", r.ByHBM.Exposed, 0.0010263164970062285},
		{"hbm hidden", r.ByHBM.Hidden, 0.00044219843632710464},
		{"arguments, as the compiler says", r.Memory.Arguments, 17301504},
	} {
		if math.Abs(c.got-c.want) > 1e-9*c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestParts: what the core does adds up to the step.
func TestParts(t *testing.T) {
	for _, p := range []Parts{example(t).Estimate, example(t).ByHBM} {
		if sum := p.Matmul + p.Other + p.Exposed + p.Stall + p.Unestimated; math.Abs(sum-p.Step) > 1e-9*p.Step {
			t.Errorf("parts of %v s are %v s", p.Step, sum)
		}
	}
}

func TestGolden(t *testing.T) {
	r := example(t)
	var text, page, trace bytes.Buffer
	for _, err := range []error{r.WriteText(&text), r.WriteHTML(&page), r.WriteTrace(&trace)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	object, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/mlp.txt", text.Bytes())
	golden(t, "testdata/mlp.json", append(object, '\n'))
	for _, outside := range []string{"src=", "href=", "@import", "url("} {
		if strings.Contains(page.String(), outside) {
			t.Errorf("the page reaches out: %s", outside)
		}
	}
	if n := strings.Count(page.String(), "<rect"); n < 30 {
		t.Errorf("the page draws %d instructions", n)
	}
	var parsed struct {
		Events []traceEvent `json:"traceEvents"`
	}
	if err := json.Unmarshal(trace.Bytes(), &parsed); err != nil || len(parsed.Events) < 30 {
		t.Errorf("a trace of %d events, %v", len(parsed.Events), err)
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update to see how), got\n%s", path, got)
	}
}

// TestTooSmall refuses machines that the program was not compiled for.
func TestTooSmall(t *testing.T) {
	m, on := program(t)
	small := on
	small.Topology, _ = topology.Parse("tpu:v5e:1x1")
	wrong := on
	wrong.Mesh = ir.Mesh{{Name: "data", Size: 8}}
	for _, bad := range []Machine{small, wrong} {
		if r, err := New(m, bad, 0); err == nil {
			t.Errorf("%s, %v: %v", bad.Topology.Target(), bad.Mesh, r)
		}
	}
}

// FuzzReport holds reports to answering for any module that can be read.
func FuzzReport(f *testing.F) {
	b, err := os.ReadFile("../testdata/mlp.pb")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	_, on := program(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := hlo.Read(b)
		if err != nil {
			return
		}
		if r, err := New(m, Machine{Topology: on.Topology}, 1); err == nil {
			if err := r.WriteText(&bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		}
	})
}
