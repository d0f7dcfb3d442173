package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// The right side of a line that gives a leaf its value, in an `import` block or a `start` table, is
// an expression of its own: it has the operators of tensors, and is evaluated by the runtime, when
// the file is there to give sizes.

// weight is such an expression and the names of its axes; an axis without a size gets the file's.
type weight struct {
	w    *ir.Weight
	axes axes
}

// weigher evaluates expressions for one leaf.
type weigher struct {
	*frame          // whose names are compile-time ones
	leaf   *cell    // that is given a value
	turns  []ir.Dim // loops of the leaf that names of tensors run over
	loads  int      // so far
	free   axes     // axes whose sizes the file says: those that are resized
	alt    int      // which of the alternatives is evaluated, of those that there are
	alts   int
	init   bool // the alternative leaves the leaf to its initialiser
	// load evaluates a call of a name that is none of the operations.
	load func(w *weigher, e *Call) (weight, bool)
}

// way evaluates a line.
func (w *weigher) way(e Expr) (ir.Way, bool) {
	x, ok := w.fitting(e)
	return ir.Way{Turns: w.turns, Value: x.w, Pos: e.Pos()}, ok
}

// fitting evaluates an expression and compares its axes with the leaf's.
func (w *weigher) fitting(e Expr) (weight, bool) {
	x, ok := w.weight(e)
	if !ok {
		return weight{}, false
	}
	var want axes
	for _, a := range w.leaf.allAxes() {
		if !slices.Contains(w.turns, ir.Dim{Label: a.name, Size: a.size}) {
			want = append(want, a)
		}
	}
	if len(x.axes) == len(want) && want.subset(x.axes) {
		return x, true
	}
	w.report(&diag.Diagnostic{Code: codeAxes, Pos: e.Pos(), Msg: fmt.Sprintf("the value has other axes than `%s`", w.leaf.path), Label: x.axes.sized(),
		Expected: want.sized(), Notes: []diag.Note{{Pos: w.leaf.at, Text: "declared here"}}})
	return weight{}, false
}

// weight evaluates an expression.
func (w *weigher) weight(e Expr) (weight, bool) {
	w.tick(e.Pos())
	switch e := e.(type) {
	case *Cond:
		if side := w.choose(e); side != nil {
			return w.weight(side)
		}
		return weight{}, false
	case *Call:
		return w.call(e)
	case *Index:
		return w.indexed(e)
	case *With:
		return w.with(e)
	case *Binary:
		return w.binary(e)
	}
	v := w.eval(e)
	if n, ok := numeric(v); ok {
		return weight{w: &ir.Weight{Op: ir.WeightNumber, Number: n.v, Pos: e.Pos()}}, true
	}
	if !isBad(v) {
		w.report(&diag.Diagnostic{Code: codeKind, Pos: e.Pos(), Msg: "a leaf's value comes from a file", Label: "this is " + describeValue(v), Expected: "load(...), and what can be computed of it"})
	}
	return weight{}, false
}

// call evaluates an operation, or what the weigher's load knows.
func (w *weigher) call(e *Call) (weight, bool) {
	n, ok := e.Fn.(*Name)
	if !ok {
		return w.load(w, e)
	}
	switch op := ir.WeightOp(n.Name); op {
	case ir.WeightResize:
		return w.resized(e)
	case ir.WeightSum, ir.WeightMean:
		return w.reduced(e, op)
	}
	if d, ok := dtypeNames[n.Name]; ok && len(e.Args) == 1 && d == dtype(ir.F32) {
		return w.weight(e.Args[0].Value) // as all of them are evaluated
	}
	return w.load(w, e)
}

// operand evaluates f(x, over: (a, b)), its arguments given: the expression and the names behind `over`.
func (w *weigher) operand(e *Call, args []*Arg, inner *weigher) (weight, axes, bool) {
	name := w.c.excerpt(e.Fn.Pos())
	if len(args) != 2 || args[0].Name != nil || args[1].Name == nil || args[1].Name.Name != "over" {
		w.report(&diag.Diagnostic{Code: codeArgument, Pos: e.At, Msg: fmt.Sprintf("`%s` of weights takes a value and axes", name), Fix: name + "(load(...), over: (gy, gx))"})
		return weight{}, nil, false
	}
	over, ok := w.names(args[1].Value)
	if !ok {
		return weight{}, nil, false
	}
	if inner.free == nil && inner != w {
		inner.free = over
	}
	x, ok := inner.weight(args[0].Value)
	w.turns, w.loads, w.alts = inner.turns, inner.loads, inner.alts
	for _, a := range over {
		if ok && !x.axes.has(a) {
			w.noWeightAxis(a.name, args[1].Value.Pos(), x.axes)
			return weight{}, nil, false
		}
	}
	return x, over, ok
}

// names reads an axis or several by their bare names.
func (w *weigher) names(e Expr) (axes, bool) {
	list := []Expr{e}
	if t, ok := e.(*Tuple); ok {
		list = nil
		for _, a := range t.Args {
			list = append(list, a.Value)
		}
	}
	var out axes
	for _, x := range list {
		n, ok := x.(*Name)
		if !ok || out.has(axis{name: n.Name}) {
			w.report(&diag.Diagnostic{Code: codeKind, Pos: x.Pos(), Msg: "axes of weights go by their names, each once", Fix: "(gy, gx)"})
			return nil, false
		}
		out = append(out, axis{name: n.Name, size: unsized})
	}
	return out, true
}

func (w *weigher) noWeightAxis(name string, at diag.Pos, have axes) {
	w.report(&diag.Diagnostic{Code: codeNoAxis, Pos: at, Msg: fmt.Sprintf("the value has no axis `%s`", name), Expected: oneOf(have.names()), Fix: diag.Nearest(name, have.names())})
}

// resized interpolates to the sizes that the leaf has; those of its operand are the file's.
func (w *weigher) resized(e *Call) (weight, bool) {
	inner := *w
	inner.free = nil
	rest, filter, ok := w.filtered(e.Args)
	if !ok {
		return weight{}, false
	}
	x, over, ok := w.operand(e, rest, &inner)
	if !ok {
		return weight{}, false
	}
	out := weight{w: &ir.Weight{Op: ir.WeightResize, In: []*ir.Weight{x.w}, Filter: &filter, Pos: e.At}}
	for _, a := range x.axes {
		if over.has(a) {
			if a.size = w.leafSize(a.name); a.size == unsized {
				w.report(&diag.Diagnostic{Code: codeNoSize, Pos: e.At, Msg: fmt.Sprintf("`%s` has no axis `%s` to give its size", w.leaf.path, a.name), Expected: oneOf(w.leaf.allAxes().names())})
				return weight{}, false
			}
			out.w.Axes = append(out.w.Axes, ir.Dim{Label: a.name, Size: a.size})
		}
		out.axes = append(out.axes, a)
	}
	return out, true
}

// filtered takes the arguments that say how to interpolate from among a call's.
func (w *weigher) filtered(args []*Arg) ([]*Arg, ir.Filter, bool) {
	var rest []*Arg
	vals, pos := make([]value, len(filterParams)), make([]diag.Pos, len(filterParams))
	for _, a := range args {
		i := -1
		if a.Name != nil {
			i = slices.IndexFunc(filterParams, func(p builtinParam) bool { return p.name == a.Name.Name })
		}
		if i < 0 || vals[i] != nil {
			rest = append(rest, a)
			continue
		}
		vals[i], pos[i] = w.evalKind(a.Value, filterParams[i].kind, "", true), a.Value.Pos()
	}
	if anyBadGiven(vals) {
		return nil, ir.Filter{}, false
	}
	filter, ok := w.filter(vals, pos)
	return rest, filter, ok
}

// leafSize is the size of the leaf's axis of a name.
func (w *weigher) leafSize(name string) int {
	all := w.leaf.allAxes()
	if i := all.named(name); i >= 0 {
		return all[i].size
	}
	return unsized
}

func (w *weigher) reduced(e *Call, op ir.WeightOp) (weight, bool) {
	x, over, ok := w.operand(e, e.Args, w)
	if !ok {
		return weight{}, false
	}
	return weight{&ir.Weight{Op: op, In: []*ir.Weight{x.w}, Axes: over.unknown(), Pos: e.At}, x.axes.without(over)}, true
}

// unknown lists the axes as dims, with 0 for sizes that are not known.
func (l axes) unknown() []ir.Dim {
	out := l.dims()
	for i := range out {
		out[i].Size = max(out[i].Size, 0)
	}
	return out
}

// indexed evaluates x[qkv: 0] and x[seq: 1..].
func (w *weigher) indexed(e *Index) (weight, bool) {
	x, ok := w.weight(e.X)
	for _, item := range e.Items {
		if !ok {
			return weight{}, false
		}
		x, ok = w.indexItem(x, item)
	}
	return x, ok
}

func (w *weigher) indexItem(x weight, item *IndexItem) (weight, bool) {
	if item.Axis == nil {
		w.report(&diag.Diagnostic{Code: codeArgument, Pos: item.At, Msg: "an axis is indexed by its name", Fix: "x[seq: 0]"})
		return weight{}, false
	}
	i := x.axes.named(item.Axis.Name)
	if i < 0 {
		w.noWeightAxis(item.Axis.Name, item.Axis.At, x.axes)
		return weight{}, false
	}
	a := x.axes[i]
	out := &ir.Weight{Op: ir.WeightIndex, In: []*ir.Weight{x.w}, Axis: a.name, Pos: item.At}
	var ok bool
	if out.From, ok = w.position(item.From, 0, a.size-1); !ok {
		return weight{}, false
	}
	rest := append(append(axes{}, x.axes[:i]...), x.axes[i+1:]...)
	if !item.Range {
		return weight{out, rest}, true
	}
	out.Op = ir.WeightSlice
	if item.To != nil {
		if out.To, ok = w.position(item.To, out.From+1, a.size); !ok {
			return weight{}, false
		}
	}
	a.size = unsized
	return weight{out, append(rest, a)}, true
}

// position evaluates a position of an axis, or the end of a slice: from least to most, which is
// negative where the axis has no size yet.
func (w *weigher) position(e Expr, least, most int) (int, bool) {
	v := w.eval(e)
	n, ok := integer(v)
	if ok && n >= least && (most < 0 || n <= most) {
		return n, true
	}
	if isBad(v) {
		return 0, false
	}
	d := &diag.Diagnostic{Code: codeRange, Pos: e.Pos(), Msg: "no such position", Label: "this is " + describeValue(v), Expected: fmt.Sprintf("a whole number from %d", least)}
	if most >= 0 {
		d.Expected += fmt.Sprintf(" to %d", most)
	}
	w.report(d)
	return 0, false
}

// with renames, splits or merges axes.
func (w *weigher) with(e *With) (weight, bool) {
	x, ok := w.weight(e.X)
	if !ok {
		return weight{}, false
	}
	for _, a := range e.From.Axes {
		if x.axes.named(a.Name.Name) < 0 {
			w.noWeightAxis(a.Name.Name, a.At, x.axes)
			return weight{}, false
		}
	}
	from, to := e.From.Axes, e.To.Axes
	out := &ir.Weight{In: []*ir.Weight{x.w}, Pos: e.At}
	var gone, come axes
	for _, a := range from {
		gone = append(gone, x.axes[x.axes.named(a.Name.Name)])
	}
	switch {
	case len(from) == 1 && len(to) == 1:
		come = axes{{name: to[0].Name.Name, size: gone[0].size}}
		out.Op, out.Axis, out.Axes = ir.WeightRename, gone[0].name, come.unknown()
	case len(from) == 1:
		if come, ok = w.split(out, to); !ok {
			return weight{}, false
		}
		out.Op, out.Axis, out.Axes = ir.WeightSplit, gone[0].name, come.unknown()
	default:
		come = axes{{name: to[0].Name.Name, size: unsized}}
		out.Op, out.Axis, out.Axes = ir.WeightMerge, come[0].name, gone.unknown()
	}
	rest := x.axes.without(gone)
	for i, a := range come {
		if rest.has(a) || come.index(a) != i {
			w.report(&diag.Diagnostic{Code: codeTwice, Pos: e.To.At, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", a.name)})
			return weight{}, false
		}
	}
	return weight{out, append(rest, come...)}, true
}

// split gives the axes that an axis becomes their sizes: written, the leaf's, or the file's.
func (w *weigher) split(out *ir.Weight, to []*NamedAxis) (axes, bool) {
	var come axes
	for _, a := range to {
		one := axis{name: a.Name.Name, size: w.knownSize(a.Name.Name)}
		if a.Size != nil {
			n, ok := w.size(a.Size, a.Name.Name)
			if !ok {
				return nil, false
			}
			one.size = n
		}
		come = append(come, one)
		out.Like = append(out.Like, max(w.leafSize(one.name), 0))
	}
	return come, true
}

// knownSize is the size of an axis as the leaf has it, unsized where the file says it.
func (w *weigher) knownSize(name string) int {
	if w.free.has(axis{name: name}) {
		return unsized
	}
	return w.leafSize(name)
}

var weightOps = map[string]ir.WeightOp{"+": ir.WeightAdd, "-": ir.WeightSub, "*": ir.WeightMul, "/": ir.WeightDiv}

// binary evaluates an operator; the axes of one side must be among the other's.
func (w *weigher) binary(e *Binary) (weight, bool) {
	op, known := weightOps[e.Op]
	if !known {
		w.report(&diag.Diagnostic{Code: codeOperator, Pos: e.OpPos, Msg: fmt.Sprintf("`%s` is no operator of weights", e.Op), Expected: "one of + - * /"})
		return weight{}, false
	}
	x, ok := w.weight(e.X)
	y, good := w.weight(e.Y)
	if !ok || !good {
		return weight{}, false
	}
	big, small := x.axes, y.axes
	if len(big) < len(small) {
		big, small = small, big
	}
	if !small.subset(big) {
		w.report(&diag.Diagnostic{Code: codeOuter, Pos: e.OpPos, Msg: fmt.Sprintf("`%s` would form an outer product", e.Op), Label: x.axes.sized() + " " + e.Op + " " + y.axes.sized(),
			Expected: "one side's axes among the other's"})
		return weight{}, false
	}
	return weight{&ir.Weight{Op: op, In: []*ir.Weight{x.w, y.w}, Pos: e.At}, big}, true
}

// tensors are the names of the tensors that a load reads: one for each turn of the loops that
// the name runs over, which are those that no dimension holds.
func (w *weigher) tensors(e Expr, named []*Arg, held axes) ([]string, bool) {
	var loops axes
	for _, l := range w.leaf.loops {
		if a := (axis{name: l.axis.name, size: l.axis.size}); !held.has(a) {
			loops = append(loops, a)
		}
	}
	if !w.over(loops.dims(), e.Pos()) {
		return nil, false
	}
	total, small := loops.elements()
	if !small || total > maxItems {
		w.report(&diag.Diagnostic{Code: codeLarge, Pos: e.Pos(), Msg: fmt.Sprintf("`%s` has too many turns to name a tensor for each", w.leaf.path), Expected: fmt.Sprintf("at most %d", maxItems)})
		return nil, false
	}
	var out []string
	seen := map[string]bool{}
	for turn := range total {
		name, ok := w.tensorName(e, named, loops, turn)
		if !ok {
			return nil, false
		}
		if seen[name] {
			w.report(&diag.Diagnostic{Code: codeTurns, Pos: e.Pos(), Msg: fmt.Sprintf("every turn of `%s` would read the tensor %q", loops, name),
				Fix: fmt.Sprintf("{%s} in the name, or %s among the dimensions", loops[0].name, loops[0].name)})
			return nil, false
		}
		seen[name] = true
		out = append(out, name)
	}
	return out, true
}

// over notes the loops that a tensor's name runs over: those of all tensors of a line.
func (w *weigher) over(turns []ir.Dim, at diag.Pos) bool {
	if w.loads++; w.loads > 1 && !slices.Equal(turns, w.turns) {
		w.report(&diag.Diagnostic{Code: codeTurns, Pos: at, Msg: "two tensors of one line are stacked over different loops"})
		return false
	}
	w.turns = turns
	return true
}

// tensorName evaluates the name of a tensor in one turn. Loops are numbers in it, and so are the
// arguments of load that have names of their own: load("unit{n}/w", [...], n: rest + 2).
func (w *weigher) tensorName(e Expr, named []*Arg, loops axes, turn int) (string, bool) {
	g := w.fork()
	for i := len(loops) - 1; i >= 0; i-- {
		g.env.set(loops[i].name, whole(turn%loops[i].size))
		turn /= loops[i].size
	}
	h := g.fork()
	for _, a := range named {
		h.env.set(a.Name.Name, g.eval(a.Value))
	}
	v := h.eval(e)
	t, ok := v.(text)
	if !ok && !isBad(v) {
		w.report(&diag.Diagnostic{Code: codeKind, Pos: e.Pos(), Msg: "a tensor goes by its name", Label: "this is " + describeValue(v), Expected: "a string"})
	}
	return string(t), ok
}
