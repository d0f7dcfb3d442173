package lang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// tensorKind is what a plan can tell apart of a program's tensors.
type tensorKind struct {
	t     ir.Type
	path  string // of the instance that computes it, or the parameter
	param bool
}

// tensors lists the tensors of the functions that a plan is for, each kind once: what step and
// evaluations take and compute.
func (x *planner) tensors() []tensorKind {
	leaves := map[string]ir.Leaf{}
	for _, l := range x.prog.State {
		leaves[l.Name] = l
	}
	var out []tensorKind
	seen := map[string]bool{}
	add := func(k tensorKind) {
		key := fmt.Sprint(k.t, k.path, k.param)
		if !seen[key] && k.t.Rank() > 0 {
			seen[key] = true
			out = append(out, k)
		}
	}
	for _, f := range x.prog.Module.Funcs {
		for i, p := range f.Args {
			if l, ok := leaves[p.Name]; ok && p.Role == ir.RoleState {
				add(tensorKind{l.Type, l.Of(), l.Kind.Params()})
			} else {
				add(tensorKind{f.Body.Params[i].Type, "", false})
			}
		}
		f.Body.Walk(func(op *ir.Op) {
			for _, v := range op.Out {
				add(tensorKind{v.Type, pathOf(op), false})
			}
		})
	}
	return out
}

func pathOf(op *ir.Op) string {
	if op.Pos == nil {
		return ""
	}
	return op.Pos.Path
}

// checkShard holds the lines of `shard` against the program: each must speak of some tensor,
// and what it cuts must come out nearly even.
func (x *planner) checkShard() bool {
	ok := true
	all := x.tensors()
	cuts := make([]cutting, len(x.plan.Shard))
	for _, k := range all {
		axes, lines := x.plan.Split(k.t, k.path, k.param), x.plan.SplitLines(k.t, k.path, k.param)
		for i, d := range k.t.Dims {
			if len(axes[i]) > 0 {
				x.cut(&cuts[lines[i]], lines[i], d, axes[i], k.param)
			}
		}
	}
	for i := range cuts {
		if !cuts[i].used {
			ok = x.useless(i, all) && ok
		}
		ok = x.reportUneven(&cuts[i]) && ok
	}
	return ok
}

// cutting is what one line does to the program's tensors.
type cutting struct {
	used, even bool             // it cuts some tensor; one comes out, if perhaps padded a little
	params     bool             // a parameter does not
	uneven     *diag.Diagnostic // the first tensor that does not come out
}

// mostWaste is the largest part of a padded axis that may be padding: an eighth.
const mostWaste = 8

// batchAxis is the axis that a train block adds to its data's fields. It is never padded.
const batchAxis = "batch"

// cut notes what a line does to a dim: it comes out even, or is padded a little, which is said,
// or would be mostly padding.
func (x *planner) cut(c *cutting, line int, d ir.Dim, over []string, param bool) {
	n := x.plan.Mesh.Size(over...)
	c.used = true
	if d.Size%n == 0 || d.Label == batchAxis {
		c.even = true
		return
	}
	padded := (d.Size + n - 1) / n * n
	bad := &diag.Diagnostic{Code: codeUneven, Pos: x.settings["shard"].Table[line].Value.Pos(), Msg: fmt.Sprintf("`%s` cannot be split evenly", d.Label),
		Label: fmt.Sprintf("%s over %d devices", quantity(d), n)}
	for _, name := range over {
		bad.Notes = append(bad.Notes, diag.Note{Pos: x.meshPos(name), Text: fmt.Sprintf("mesh axis `%s` is %d", name, x.plan.Mesh.Size(name))})
	}
	if (padded-d.Size)*mostWaste <= padded {
		bad.Severity, bad.Msg = diag.Warning, fmt.Sprintf("`%s` is padded from %d to %d", d.Label, d.Size, padded)
		c.even = true
		x.f.report(bad)
		return
	}
	if sizes := dividing(d.Size, n); len(over) == 1 && len(sizes) > 0 {
		bad.Fix = fmt.Sprintf("a `%s` of %s", over[0], orList(sizes))
	}
	if c.uneven == nil || param && !c.params {
		c.uneven, c.params = bad, param
	}
}

// reportUneven reports a dim that would be mostly padding: an error for a parameter, which has
// to be stored so, and where the line cuts nothing else; otherwise the tensor stays whole.
func (x *planner) reportUneven(c *cutting) bool {
	if c.uneven == nil {
		return true
	}
	if c.params || !c.even {
		return x.report(c.uneven)
	}
	c.uneven.Severity = diag.Warning
	c.uneven.Msg += " everywhere"
	c.uneven.Notes = append(c.uneven.Notes, diag.Note{Text: "where it cannot, every device holds all of it"})
	x.f.report(c.uneven)
	return true
}

// quantity says how many there are of what an axis counts: 48 heads, mlp:100.
func quantity(d ir.Dim) string {
	if strings.HasSuffix(d.Label, "s") {
		return fmt.Sprintf("%d %s", d.Size, d.Label)
	}
	return fmt.Sprintf("%s:%d", d.Label, d.Size)
}

// dividing lists divisors of a size that lie next to n: two below, one above.
func dividing(size, n int) []int {
	var below, above []int
	for d := 2; d <= size; d++ {
		switch {
		case size%d != 0:
		case d < n:
			below = append(below, d)
		case len(above) == 0:
			above = append(above, d)
		}
	}
	return append(below[max(0, len(below)-2):], above...)
}

// orList writes numbers as alternatives: 16, 24 or 48.
func orList(numbers []int) string {
	var words []string
	for _, n := range numbers {
		words = append(words, strconv.Itoa(n))
	}
	if last := len(words) - 1; last > 0 {
		return strings.Join(words[:last], ", ") + " or " + words[last]
	}
	return words[0]
}

// checkBatch makes sure that the batch can be cut into slices, and a slice over the devices.
func (x *planner) checkBatch() bool {
	batch, micro := x.prog.Train.Batch, x.plan.Micro
	if batch%micro != 0 {
		return x.report(&diag.Diagnostic{Code: codeUneven, Pos: x.settings["micro"].Value.Pos(), Msg: fmt.Sprintf("a batch of %d cannot be cut into %d slices", batch, micro), Fix: "micro: " + orList(dividing(batch, micro))})
	}
	line := slices.IndexFunc(x.plan.Shard, func(l ir.ShardLine) bool { return l.Axis == batchAxis && !l.Params && l.Path == "" })
	if line < 0 {
		return true
	}
	at := x.settings["shard"].Table[line].Value.Pos()
	n := x.plan.Mesh.Size(x.plan.Shard[line].Over...)
	for _, e := range x.prog.Evals {
		if e.Batch%n != 0 {
			x.f.report(&diag.Diagnostic{Severity: diag.Warning, Code: codeUneven, Pos: at, Msg: fmt.Sprintf("`%s` is not divided: every device evaluates whole batches", e.Name),
				Label: fmt.Sprintf("a batch of %d over %d devices", e.Batch, n), Notes: []diag.Note{{Pos: e.Pos, Text: "the evaluation"}}})
		}
	}
	if slice := batch / micro; slice%n != 0 {
		d := &diag.Diagnostic{Code: codeUneven, Pos: at, Msg: "`batch` cannot be split evenly", Label: fmt.Sprintf("%d examples over %d devices", slice, n), Expected: fmt.Sprintf("a batch that %d divides", n*micro)}
		if micro > 1 {
			d.Label = fmt.Sprintf("%d examples, a slice of %d, over %d devices", slice, micro, n)
		}
		d.Notes = []diag.Note{{Pos: x.prog.Train.Pos, Text: fmt.Sprintf("`%s` has batches of %d", x.train.Name.Name, batch)}}
		return x.report(d)
	}
	return true
}
