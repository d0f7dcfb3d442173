package driver

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/runtime/fault"
	"vitc/runtime/hlo"
	"vitc/runtime/hlo/report"
	"vitc/runtime/pjrt"
)

// PodReportRequest names a program that a TPU compiler has scheduled: a bundle, which says all
// that is to be known of it, or the compiler's own file and what it was compiled for.
type PodReportRequest struct {
	File       string
	Topology   string  // tpu:v4:8x8x16; of a file that is no bundle
	Mesh       string  // data=64,model=16; likewise, may be left out
	ModelFlops float64 // likewise; 0: no MFU
}

// ReportPod says what the scheduled program does with a step's time and a device's memory.
func ReportPod(q PodReportRequest) (*report.Report, error) {
	scheduled, on, flops, assigned, err := q.open()
	if err != nil {
		return nil, err
	}
	p, err := hlo.Read(scheduled)
	if err != nil {
		return nil, badHLO(q.File, err, "build it again, or copy the file again")
	}
	r, err := report.New(p, on, flops)
	if err != nil {
		return nil, badHLO(q.File, err, "give the topology and the mesh that the program was compiled for")
	}
	if assigned != nil {
		r.Memory.Compiler = &report.Assigned{Arguments: assigned.Arguments, Temporaries: assigned.Temporary, Peak: assigned.Peak, Code: assigned.Code}
	}
	return r, nil
}

func badHLO(file string, err error, fix string) error {
	return &diag.Diagnostic{Code: CodeScheduled, Msg: err.Error(), Pos: diag.Pos{File: file}, Fix: fix}
}

// open reads the file.
func (q *PodReportRequest) open() (scheduled []byte, on report.Machine, flops float64, assigned *pjrt.Memory, err error) {
	if filepath.Ext(q.File) == bundleExt {
		return q.bundle()
	}
	if q.Topology == "" {
		return nil, on, 0, nil, usagef(CodeFlag, "--topology tpu:v4:2x2x1", "%s is no bundle, and says not what it was compiled for", q.File)
	}
	if on.Topology, err = podTopology(q.Topology); err != nil {
		return nil, on, 0, nil, err
	}
	if on.Mesh, err = parseMesh(q.Mesh); err != nil {
		return nil, on, 0, nil, err
	}
	scheduled, err = os.ReadFile(q.File)
	if err != nil {
		return nil, on, 0, nil, fault.Diagnostic(err, CodeFile, diag.Pos{})
	}
	return scheduled, on, q.ModelFlops, nil, nil
}

// bundle reads a bundle with a program compiled ahead of time.
func (q *PodReportRequest) bundle() (scheduled []byte, on report.Machine, flops float64, assigned *pjrt.Memory, err error) {
	if q.Topology != "" || q.Mesh != "" || q.ModelFlops != 0 {
		return nil, on, 0, nil, usagef(CodeFlag, "vitc report "+q.File, "what a bundle was compiled for is settled")
	}
	b, err := codegen.ReadBundle(q.File)
	if err != nil {
		return nil, on, 0, nil, badBundle(q.File, err)
	}
	scheduled = b.Part(PartOptimized)
	if scheduled == nil {
		return nil, on, 0, nil, &diag.Diagnostic{Code: CodeScheduled, Msg: "the bundle holds no program compiled for a TPU", Pos: diag.Pos{File: q.File},
			Fix: "vitc build --target tpu:v4:8x8x16 FILE.vit"}
	}
	var o podOptions
	if err := json.Unmarshal(b.Part(PartOptions), &o); err != nil {
		return nil, on, 0, nil, badHLO(q.File, fmt.Errorf("its %s: %w", PartOptions, err), "build it again")
	}
	if on.Topology, err = podTopology(o.Topology); err != nil {
		return nil, on, 0, nil, err
	}
	if plan := b.Program.Chosen(); plan != nil {
		on.Mesh = plan.Mesh
	}
	assigned = &pjrt.Memory{}
	if json.Unmarshal(b.Part(PartMemory), assigned) != nil {
		assigned = nil
	}
	return scheduled, on, o.ModelFlops, assigned, nil
}

// podTopology reads the name of a topology of TPUs.
func podTopology(name string) (*topology.Topology, error) {
	t, err := topology.Parse(name)
	if err != nil {
		return nil, err
	}
	if t.Chip.Platform != "tpu" {
		return nil, usagef(CodeValue, "--topology tpu:v4:2x2x1", "--topology %s is none of TPUs", name)
	}
	return t, nil
}

// parseMesh reads data=64,model=16; nothing is no mesh.
func parseMesh(text string) (ir.Mesh, error) {
	if text == "" {
		return nil, nil
	}
	var m ir.Mesh
	for _, part := range strings.Split(text, ",") {
		name, digits, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(digits)
		if name == "" || err != nil || n < 1 {
			return nil, usagef(CodeValue, "--mesh data=64,model=16", "--mesh %s: %q is no axis with its size", text, part)
		}
		m = append(m, ir.MeshAxis{Name: name, Size: n})
	}
	return m, nil
}
