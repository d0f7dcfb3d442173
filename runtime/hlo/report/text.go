package report

import (
	"fmt"
	"io"
	"strings"

	"vitc/runtime/table"
)

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s for %s: %d devices, %s\n", r.Program, r.Topology, r.Devices, r.Chip)
	fmt.Fprintf(&b, "%s\n", r.Notice)
	r.textMemory(&b)
	r.textTime(&b)
	r.textCollectives(&b)
	r.textSlowest(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) textMemory(b *strings.Builder) {
	m := r.Memory
	fmt.Fprintf(b, "\nmemory of a device: %s of %s at the fullest moment: arguments %s, temporaries %s\n",
		size(m.Peak), size(m.Capacity), size(m.Arguments), size(m.Temporaries))
	if c := m.Compiler; c != nil {
		fmt.Fprintf(b, "  the compiler's own assignment: %s at its peak, arguments %s, temporaries %s, code %s\n",
			size(float64(c.Peak)), size(float64(c.Arguments)), size(float64(c.Temporaries)), size(float64(c.Code)))
	}
	t := table.Table{Indent: "  ", Right: []bool{true, false, false, false, false}}
	for _, x := range m.Largest {
		kind := "temporary"
		if x.Argument {
			kind = "argument"
		}
		t.Add(size(x.Bytes), kind, x.Shape, x.Name, x.Where)
	}
	b.WriteString(t.String())
}

func (r *Report) textTime(b *strings.Builder) {
	b.WriteString("\none step, by the compiler's cycles, and with what moves bf16 held to its bytes (hbm):\n")
	t := table.Table{Indent: "  ", Right: []bool{false, true, true, true}}
	t.Add("", "raw", "share", "hbm")
	e, h := r.Estimate, r.ByHBM
	for _, row := range []struct {
		name     string
		raw, hbm float64
	}{
		{"step", e.Step, h.Step}, {"matmul", e.Matmul, h.Matmul}, {"other compute", e.Other, h.Other},
		{"exposed communication", e.Exposed, h.Exposed}, {"waiting for copies", e.Stall, h.Stall}, {"not estimated by the compiler", e.Unestimated, h.Unestimated},
		{"hidden communication", e.Hidden, h.Hidden},
	} {
		t.Add(row.name, seconds(row.raw), percent(row.raw, e.Step), seconds(row.hbm))
	}
	if r.ModelFlops > 0 {
		t.Add("MFU", fmt.Sprintf("%.1f %%", 100*r.MFU), "", fmt.Sprintf("%.1f %%", 100*r.MFUByHBM))
	}
	b.WriteString(t.String())
	if r.ModelFlops > 0 {
		fmt.Fprintf(b, "  %.4g model FLOPs: %s at the chips' peak\n", r.ModelFlops, seconds(r.Ideal))
	}
}

func (r *Report) textCollectives(b *strings.Builder) {
	fmt.Fprintf(b, "\ncollectives: %.0f runs asynchronous, %.0f synchronous, %s into a device\n", r.Estimate.Async, r.Estimate.Sync, size(r.Estimate.Bytes))
	if len(r.Collectives) == 0 {
		return
	}
	t := table.Table{Indent: "  ", Right: []bool{false, false, false, true, true, true, true, false, false}}
	t.Add("kind", "", "axis", "bytes", "time", "exposed", "runs", "name", "")
	for _, c := range r.Collectives {
		mode := "sync"
		if c.Async {
			mode = "async"
		}
		t.Add(c.Kind, mode, c.Axis, size(c.Bytes), seconds(c.Seconds), seconds(c.Exposed), fmt.Sprintf("%.0f", c.Times), c.Name, c.Where)
	}
	b.WriteString(t.String())
}

func (r *Report) textSlowest(b *strings.Builder) {
	fmt.Fprintf(b, "\nslowest instructions, all their runs in a step:\n")
	t := table.Table{Indent: "  ", Right: []bool{true, true, true, false, false, false, false}}
	t.Add("time", "share", "runs", "kind", "result", "name", "")
	for _, s := range r.Slowest {
		t.Add(seconds(s.Seconds), percent(s.Seconds, r.Estimate.Step), fmt.Sprintf("%.0f", s.Times), s.Kind, s.Shape, s.Name, s.Where)
	}
	b.WriteString(t.String())
}

func percent(part, whole float64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*part/whole)
}

// seconds writes a time with the unit that suits it.
func seconds(s float64) string {
	switch {
	case s == 0:
		return "0"
	case s < 1e-3:
		return fmt.Sprintf("%.1f us", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.2f ms", s*1e3)
	}
	return fmt.Sprintf("%.3f s", s)
}

// size writes a number of bytes.
func size(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	k := 0
	for n >= 1024 && k < len(units)-1 {
		n, k = n/1024, k+1
	}
	if k == 0 {
		return fmt.Sprintf("%.0f B", n)
	}
	return fmt.Sprintf("%.2f %s", n, units[k])
}
