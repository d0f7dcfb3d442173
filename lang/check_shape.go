package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// with evaluates `x with from as to`: renames, splits and merges.
func (f *frame) with(e *With) value {
	v := f.eval(e.X)
	if isBad(v) {
		return v
	}
	x, ok := f.tensor(v, e.X.Pos())
	if !ok {
		return bad{}
	}
	from, ok := f.patternAxes(e.From)
	if !ok {
		return bad{}
	}
	for i, a := range from {
		k := x.axes.named(a.name)
		if k < 0 {
			return f.noAxis("with", e.From.Axes[i].At, a.name, x)
		}
		from[i].size = x.axes[k].size
	}
	to, ok := f.patternAxes(e.To)
	switch {
	case !ok:
		return bad{}
	case len(from) == 1 && len(to) == 1:
		return f.rename(e, x, from[0], to[0])
	case len(from) == 1:
		return f.split(e, x, from[0], to)
	case len(to) == 1:
		return f.merge(e, x, from, to[0])
	}
	return f.report(&diag.Diagnostic{Code: codeSplit, Pos: e.To.At, Msg: "`with` splits one axis or merges into one",
		Label: fmt.Sprintf("%d axes become %d", len(from), len(to)), Fix: "two `with`: first merge, then split"})
}

// patternAxes reads one side: an axis in scope goes by its own name, any other literally.
func (f *frame) patternAxes(p *Pattern) (axes, bool) {
	var out axes
	for _, n := range p.Axes {
		a := axis{name: n.Name.Name, size: unsized}
		if v, ok := f.lookup(a.name); ok {
			if x, ok := v.(axis); ok {
				a = x
			}
		}
		if n.Size != nil {
			size, ok := f.size(n.Size, a.name)
			if !ok {
				return nil, false
			}
			a.size = size
		}
		if out.has(a) {
			f.report(&diag.Diagnostic{Code: codeTwice, Pos: n.At, Msg: fmt.Sprintf("axis `%s` stands here twice", a.name)})
			return nil, false
		}
		out = append(out, a)
	}
	return out, true
}

// noAxis reports an axis that none of some tensors has.
func (f *frame) noAxis(op string, at diag.Pos, name string, ts ...*tensor) value {
	var have axes
	for _, t := range ts {
		have = have.union(t.axes.visible())
	}
	d := &diag.Diagnostic{Code: codeNoAxis, Pos: at, Msg: fmt.Sprintf("no operand of `%s` has axis `%s`", op, name),
		Fix: diag.Nearest(name, have.names())}
	if len(have) > 0 {
		d.Expected = oneOf(have.names())
	} else {
		d.Label = "the operand has no axes"
	}
	return f.report(d)
}

// rename changes no value: axes are names.
func (f *frame) rename(e *With, x *tensor, from, to axis) value {
	out := slices.Clone(x.axes)
	i := out.named(from.name)
	if from.name != to.name && out.named(to.name) >= 0 {
		return f.report(&diag.Diagnostic{Code: codeTwice, Pos: e.To.At, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", to.name),
			Label: x.String() + " has it already"})
	}
	out[i] = axis{name: to.name, size: out[i].size, origin: out[i].origin}
	return &tensor{axes: out, d: x.d, v: x.v, cell: x.cell}
}

func (f *frame) split(e *With, x *tensor, from axis, to axes) value {
	known, open := 1, -1
	for i, a := range to {
		switch {
		case a.size != unsized && (a.size < 1 || known > from.size):
			known = from.size + 1
		case a.size != unsized:
			known *= a.size
		case open >= 0:
			return f.report(&diag.Diagnostic{Code: codeNoSize, Pos: e.To.At, Msg: fmt.Sprintf("`%s` and `%s` both lack a size", to[open].name, a.name),
				Label: "one of them can be inferred", Fix: fmt.Sprintf("(%s, %s: 2), with its size", to[open].name, a.name)})
		default:
			open = i
		}
	}
	if open >= 0 && known > 0 && from.size%known == 0 && known <= from.size {
		to[open].size = from.size / known
		known = from.size
	}
	if known != from.size {
		return f.report(&diag.Diagnostic{Code: codeSplit, Pos: e.To.At, Msg: fmt.Sprintf("axis `%s` of %d does not split so", from.name, from.size),
			Label: to.sized()})
	}
	for _, a := range to {
		if a.name != from.name && x.axes.named(a.name) >= 0 {
			return f.report(&diag.Diagnostic{Code: codeTwice, Pos: e.To.At, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", a.name), Label: x.String() + " has it already"})
		}
	}
	i := x.axes.named(from.name)
	return f.rearranged(x, slices.Concat(x.axes[:i], to, x.axes[i+1:]), axes{from}, to, e.At)
}

func (f *frame) merge(e *With, x *tensor, from axes, to axis) value {
	size, _ := from.elements()
	if to.size = size; from.named(to.name) < 0 && x.axes.named(to.name) >= 0 {
		return f.report(&diag.Diagnostic{Code: codeTwice, Pos: e.To.At, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", to.name), Label: x.String() + " has it already"})
	}
	var out axes
	placed := false
	for _, a := range x.axes {
		switch {
		case !from.has(a):
			out = append(out, a)
		case !placed:
			out, placed = append(out, axis{name: to.name, size: size}), true
		}
	}
	return f.rearranged(x, out, from, axes{to}, e.At)
}

// rearranged turns the axes `from` of x into `to`, one of which is one axis: a dim of
// several factors.
func (f *frame) rearranged(x *tensor, out, from, to axes, at diag.Pos) value {
	if !f.fits(at, out) {
		return bad{}
	}
	v := f.value(x, at)
	if v.Type.Rank() == 0 {
		return &tensor{axes: out, d: x.d, v: v}
	}
	parts := to
	if len(from) > 1 {
		parts = from
	}
	var l factors
	term := func(list axes, joined axis) string {
		s := ""
		for _, a := range list {
			if a.is(joined) {
				s += "(" + l.term(private(parts)) + ")"
			} else if parts.has(a) {
				s += l.term(private(axes{a}))
			} else {
				s += l.term(axes{a})
			}
		}
		return s
	}
	var in, res string
	if len(from) > 1 {
		in, res = term(x.axes, axis{hidden: -1}), term(out, to[0])
	} else {
		in, res = term(x.axes, from[0]), term(out, axis{hidden: -1})
	}
	return &tensor{axes: out, d: x.d, v: f.build(at).Rearrange(v, ir.MustRule(in+"->"+res), out.dims())}
}

// private tells the parts of a split or merge from an axis of the same name that they make
// or come from: (seq, part) from seq.
func private(l axes) axes {
	out := slices.Clone(l)
	for i := range out {
		out[i].hidden += 1 << 20
	}
	return out
}

// indexTensor evaluates x[seq: 0, vocab: ids, key: 1..].
func (f *frame) indexTensor(e *Index, x *tensor) value {
	for _, it := range e.Items {
		if it.Axis == nil {
			return f.report(&diag.Diagnostic{Code: codeOperator, Pos: it.At, Msg: "a tensor is indexed by the name of an axis", Label: x.String(),
				Fix: fmt.Sprintf("[%s: %s]", firstName(x.axes), f.c.excerpt(it.At))})
		}
		name := it.Axis.Name
		if v, ok := f.lookup(name); ok {
			if a, ok := v.(axis); ok {
				name = a.name
			}
		}
		if x.axes.named(name) < 0 {
			return f.noAxis("x["+name+": ...]", it.Axis.At, name, x)
		}
		v := f.indexItem(it, x, name)
		t, ok := v.(*tensor)
		if !ok {
			return v
		}
		x = t
	}
	return x
}

func firstName(l axes) string {
	if v := l.visible(); len(v) > 0 {
		return v[0].name
	}
	return "axis"
}

func (f *frame) indexItem(it *IndexItem, x *tensor, name string) value {
	from := f.eval(it.From)
	if isBad(from) {
		return from
	}
	i := x.axes.named(name)
	if t, ok := from.(*tensor); ok && !it.Range {
		return f.gather(it, x, i, t)
	}
	lo, ok := f.position(from, it.From.Pos(), x.axes[i], false)
	if !ok {
		return bad{}
	}
	hi := lo + 1
	if it.Range {
		hi = x.axes[i].size
		if it.To != nil {
			to := f.eval(it.To)
			if hi, ok = f.position(to, it.To.Pos(), x.axes[i], true); !ok {
				return bad{}
			}
		}
		if lo >= hi {
			return f.report(&diag.Diagnostic{Code: codeRange, Pos: it.At, Msg: "an empty range", Label: fmt.Sprintf("%d..%d of %s", lo, hi, x.axes[i])})
		}
	}
	return f.cut(x, i, lo, hi, it.Range, it.At)
}

// position reads a place along an axis; as an end it may be the axis's size.
func (f *frame) position(v value, at diag.Pos, a axis, end bool) (int, bool) {
	if isBad(v) {
		return 0, false
	}
	n, ok := integer(v)
	if !ok {
		f.report(&diag.Diagnostic{Code: codeKind, Pos: at, Msg: "a position is an int or an i32 tensor", Label: "this is " + describeValue(v)})
		return 0, false
	}
	last := a.size - 1
	if end {
		last = a.size
	}
	if n < 0 || n > last {
		d := &diag.Diagnostic{Code: codeRange, Pos: at, Msg: fmt.Sprintf("axis `%s` has no position %d", a.name, n), Expected: fmt.Sprintf("0 to %d", last)}
		if n < 0 && -n <= a.size {
			d.Fix = fmt.Sprintf("%s - %d", a.name, -n)
		}
		f.report(d)
		return 0, false
	}
	return n, true
}

// cut keeps positions lo..hi of axis i; a single position drops the axis unless it is kept.
func (f *frame) cut(x *tensor, i, lo, hi int, keep bool, at diag.Pos) value {
	out := slices.Clone(x.axes)
	v := f.value(x, at)
	if v.Type.Rank() > 0 && hi-lo < out[i].size {
		v = f.build(at).Slice(v, i, lo, hi)
	}
	out[i].size = hi - lo
	t := &tensor{axes: out, d: x.d, v: v}
	if keep {
		return t
	}
	return f.drop(t, i, at)
}

// drop removes an axis of size one.
func (f *frame) drop(x *tensor, i int, at diag.Pos) *tensor {
	out := slices.Delete(slices.Clone(x.axes), i, i+1)
	v := f.value(x, at)
	if v.Type.Rank() > 0 {
		var l factors
		rest := l.term(x.axes[:i]) + "()" + l.term(x.axes[i+1:])
		v = f.build(at).Rearrange(v, ir.MustRule(rest+"->"+l.term(out)), out.dims())
	}
	return &tensor{axes: out, d: x.d, v: v}
}

// grow gives a tensor an axis of size one, first.
func (f *frame) grow(x *tensor, a axis, at diag.Pos) *tensor {
	a.size = 1
	out := append(axes{a}, x.axes...)
	v := f.full(x, at)
	if v.Type.Rank() > 0 {
		var l factors
		term := l.term(x.axes)
		v = f.build(at).Rearrange(v, ir.MustRule(term+"->()"+term), out.dims())
	} else {
		v = f.build(at).Fill(v, out.dims())
	}
	return &tensor{axes: out, d: x.d, v: v}
}

// gather looks ids up along axis i: their axes come in its place, shared ones align.
func (f *frame) gather(it *IndexItem, x *tensor, i int, ids *tensor) value {
	if ids.d != ir.I32 {
		return f.report(&diag.Diagnostic{Code: codeDType, Pos: it.From.Pos(), Msg: fmt.Sprintf("a gather by %s", ids.d), Expected: "i32", Fix: "i32(ids)"})
	}
	looked := x.axes[i]
	if ids.axes.has(looked) {
		return f.report(&diag.Diagnostic{Code: codeTwice, Pos: it.From.Pos(), Msg: fmt.Sprintf("the ids have axis `%s` themselves", looked.name), Fix: "`with` renames theirs"})
	}
	table := x.axes
	rest := slices.Delete(slices.Clone(table), i, i+1)
	hidden := hiddenOf(rest, ids.axes)
	out := hidden.union(ids.axes).union(rest)
	if !f.sizes(it.At, out, x, ids) {
		return bad{}
	}
	rule := rule(out, table, ids.axes)
	t := ir.T(x.d, out.dims()...)
	v := f.build(it.At).Carry("gather", nil, rule, &t, f.full(x, it.At), f.full(ids, it.At))
	return &tensor{axes: out, d: x.d, v: v}
}
