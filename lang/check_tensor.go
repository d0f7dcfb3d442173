package lang

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// What every operation on tensors needs: values in the order of given axes, axes joined by
// name, numbers in the dtype of their partner.

// read makes a tensor of a leaf: a parameter is real, a state as declared.
func (f *frame) read(l *cell, at diag.Pos) value {
	if f.s.fn.arg == nil {
		return f.report(&diag.Diagnostic{Code: codeInitial, Pos: at, Msg: fmt.Sprintf("`%s` is read by an initialiser", l.name()), Label: "nothing has a value yet"})
	}
	v := f.s.read(l)
	t := &tensor{d: l.d, v: v}
	if l.role == ir.LeafParam {
		t.d, t.cell = ir.Real, l
	}
	left := len(l.loops)
	for _, r := range l.loops {
		if f.s.inside(r) {
			left--
		}
	}
	if left > 0 {
		return f.report(&diag.Diagnostic{Code: codeOutside, Pos: at, Msg: fmt.Sprintf("`%s` is read outside its `repeat`", l.path)})
	}
	t.axes = append(append(t.axes, l.hidden...), l.axes...)
	return t
}

func (s *scope) inside(l *loop) bool {
	for t := s; t != nil; t = t.parent {
		if t.loop == l {
			return true
		}
	}
	return false
}

func (c *constant) tensor() *tensor {
	return &tensor{axes: c.axes, d: c.d, v: ir.Literal(c.d, c.v)}
}

// value is a tensor's value, of rank 0 where it is the same everywhere; a parameter is
// converted to real.
func (f *frame) value(t *tensor, at diag.Pos) *ir.Value {
	if t.cell == nil {
		return t.v
	}
	return f.s.real(t.v, func(s *scope) *ir.Builder {
		s.b.Pos = f.loc(at)
		return &s.b
	})
}

// full is a tensor's value with all its dims.
func (f *frame) full(t *tensor, at diag.Pos) *ir.Value {
	v := f.value(t, at)
	if v.Type.Rank() == 0 && (len(t.axes) > 0 || v.Lit != nil) {
		return f.build(at).Fill(v, t.axes.dims())
	}
	return v
}

// aligned is a tensor's value with its dims in the order of axes that have all of its own;
// a value that is the same everywhere stays of rank 0.
func (f *frame) aligned(t *tensor, to axes, at diag.Pos) *ir.Value {
	v := f.value(t, at)
	switch {
	case v.Type.Rank() == 0 || t.axes.equal(to):
		return v
	case len(t.axes) == len(to):
		return f.build(at).Rearrange(v, rule(to, t.axes), to.dims())
	}
	return f.build(at).Broadcast(v, rule(to, t.axes), to.dims())
}

// spreadTo is aligned, with every dim.
func (f *frame) spreadTo(t *tensor, to axes, at diag.Pos) *ir.Value {
	v := f.aligned(t, to, at)
	if v.Type.Rank() == 0 && (len(to) > 0 || v.Lit != nil) {
		return f.build(at).Fill(v, to.dims())
	}
	return v
}

// sizes checks that tensors agree on the sizes of the axes they share, and that the result
// is not too large.
func (f *frame) sizes(at diag.Pos, result axes, ts ...*tensor) bool {
	for i, t := range ts {
		for _, u := range ts[:i] {
			for _, a := range t.axes {
				if k := u.axes.index(a); k >= 0 && u.axes[k].size != a.size {
					f.twoSizes(at, a.name, fmt.Sprintf("%s and %s", u, t))
					return false
				}
			}
		}
	}
	return f.fits(at, result)
}

func (f *frame) twoSizes(at diag.Pos, name, label string) {
	f.report(&diag.Diagnostic{Code: codeTwoSizes, Pos: at, Msg: fmt.Sprintf("axis `%s` has two sizes", name), Label: label,
		Fix: "`with` renames an axis: x with " + name + " as other"})
}

// fits checks a result's axes: each once, sizes known and at least one, not too many elements.
func (f *frame) fits(at diag.Pos, l axes) bool {
	for i, a := range l {
		if axes(l[:i]).has(a) {
			f.report(&diag.Diagnostic{Code: codeTwice, Pos: at, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", a.name),
				Fix: "`with` renames one of them"})
			return false
		}
		if a.size == unsized {
			f.noSize(a, at)
			return false
		}
		if a.size < 1 {
			f.report(&diag.Diagnostic{Code: codeSize, Pos: at, Msg: fmt.Sprintf("axis `%s` has size %d", a.name, a.size), Expected: "at least 1 in a tensor"})
			return false
		}
	}
	if _, ok := l.elements(); !ok || len(l) > maxRank {
		f.report(&diag.Diagnostic{Code: codeLarge, Pos: at, Msg: "a tensor is too large", Label: l.visible().sized(),
			Expected: fmt.Sprintf("at most 2 ** 50 elements and %d axes", maxRank)})
		return false
	}
	return true
}

func (f *frame) noSize(a axis, at diag.Pos) {
	d := &diag.Diagnostic{Code: codeNoSize, Pos: at, Msg: fmt.Sprintf("nothing gives axis `%s` a size", a.name),
		Label: "no axis of this name is in scope", Fix: diag.Nearest(a.name, f.visibleNames())}
	if v, known := f.lookup(a.name); known {
		if n, whole := integer(v); whole {
			d.Label, d.Fix = fmt.Sprintf("here it is the number %d, no axis", n), "an axis of this size: axis NAME = "+a.name
		}
	}
	f.report(d)
}

// join is the axes of a pointwise result: those of the operand that has all the others'.
func (f *frame) join(op string, at diag.Pos, ts ...*tensor) (axes, bool) {
	var widest axes
	for _, t := range ts {
		if v := t.axes.visible(); widest == nil || len(v) > len(widest) {
			widest = v
		}
	}
	for _, t := range ts {
		if extra := t.axes.visible().without(widest); len(extra) > 0 {
			f.outer(op, at, ts)
			return nil, false
		}
	}
	lists := make([]axes, len(ts))
	for i, t := range ts {
		lists[i] = t.axes
		if t.axes.visible().equal(widest) && len(hiddenOf(t.axes)) == len(t.axes)-len(widest) && len(t.axes) > len(widest) {
			widest = t.axes // hidden axes where they are already
		}
	}
	out := append(hiddenOf(lists...).without(widest), widest...)
	return out, f.sizes(at, out, ts...)
}

// outer reports operands of which none has all axes.
func (f *frame) outer(op string, at diag.Pos, ts []*tensor) {
	d := &diag.Diagnostic{Code: codeOuter, Pos: at, Msg: fmt.Sprintf("`%s` would form an outer product", op)}
	var types []string
	for _, t := range ts {
		types = append(types, t.axes.visible().sized())
	}
	d.Label = strings.Join(types, " "+op+" ")
	if precedence[op] == 0 { // a built-in function
		d.Label = strings.Join(types, ", ")
	}
	if len(ts) == 2 {
		l, r := ts[0].axes.visible().without(ts[1].axes), ts[1].axes.visible().without(ts[0].axes)
		d.Expected = fmt.Sprintf("one side's axes among the other's; found %s only left, %s only right", l, r)
		d.Fix = f.outerFix(op, at, l, r)
	}
	f.report(d)
}

// outerFix suggests the expanded sum, or an axis that was probably misspelt.
func (f *frame) outerFix(op string, at diag.Pos, l, r axes) string {
	text := f.c.excerpt(at)
	left, right, ok := strings.Cut(text, " "+op+" ")
	if !ok || strings.Contains(right, " ") || strings.Contains(left, " ") {
		return "expand(x, axis), if that is meant"
	}
	return fmt.Sprintf("expand(%s, %s) %s expand(%s, %s), if that is meant", left, listOf(r), op, right, listOf(l))
}

func listOf(l axes) string {
	if len(l) == 1 {
		return l[0].name
	}
	return "(" + l.String() + ")"
}

// operands reads two or more values as tensors of one dtype: numbers take on that of their
// partners.
func (f *frame) operands(op string, at diag.Pos, places []diag.Pos, vs ...value) ([]*tensor, bool) {
	if anyBad(vs...) {
		return nil, false
	}
	out := make([]*tensor, len(vs))
	var partner *tensor
	for i, v := range vs {
		if t, ok := v.(*tensor); ok {
			if partner != nil && partner.d != t.d {
				f.mixed(op, at, places, vs)
				return nil, false
			}
			if out[i] = t; partner == nil {
				partner = t
			}
		}
	}
	for i, v := range vs {
		if out[i] != nil {
			continue
		}
		t, ok := f.lift(v, partner, places[i])
		if !ok {
			return nil, false
		}
		out[i] = t
	}
	return out, true
}

// mixed reports operands of several dtypes.
func (f *frame) mixed(op string, at diag.Pos, places []diag.Pos, vs []value) {
	const longest = 24 // of an operand that a label shows
	var found, shown []string
	var ds []ir.DType
	for i, v := range vs {
		t, ok := v.(*tensor)
		if !ok {
			continue
		}
		found = append(found, t.d.String())
		ds = append(ds, t.d)
		if text := f.c.excerpt(places[i]); text != "" && len(text) <= longest {
			shown = append(shown, text+": "+t.d.String())
		}
	}
	d := &diag.Diagnostic{Code: codeMixed, Pos: at, Msg: fmt.Sprintf("`%s` of %s", op, strings.Join(slices.Compact(found), " and ")), Label: strings.Join(shown, ", ")}
	d.Fix = conversionFix(ds)
	if slices.Contains(ds, ir.Real) && slices.Contains(ds, ir.F32) {
		d.Notes = []diag.Note{{Text: "under `precision: bf16` the two differ"}}
	}
	f.report(d)
}

func conversionFix(ds []ir.DType) string {
	switch {
	case slices.Contains(ds, ir.Real) && slices.Contains(ds, ir.F32):
		return "leave out `f32(...)`, or write real(x)"
	case slices.Contains(ds, ir.Bool):
		i := slices.IndexFunc(ds, func(d ir.DType) bool { return d != ir.Bool })
		return ds[i].String() + "(x) of the bool"
	case slices.Contains(ds, ir.Real):
		return "real(x)"
	case slices.Contains(ds, ir.F32):
		return "f32(x)"
	}
	return "cast(x, dtype)"
}

// lift makes a number a tensor of rank 0 of its partner's dtype; without a partner f32.
func (f *frame) lift(v value, partner *tensor, at diag.Pos) (*tensor, bool) {
	if partner == nil {
		return f.tensor(v, at)
	}
	if t, ok := v.(*turn); ok {
		if !partner.d.Float() {
			f.report(&diag.Diagnostic{Code: codeMixed, Pos: at, Msg: "the number of a turn is floating", Label: fmt.Sprintf("its partner is %s", partner.d), Fix: "f32(x) of its partner"})
			return nil, false
		}
		return f.turnTensor(t, partner.d, at)
	}
	n, ok := numeric(v)
	if !ok {
		if b, isBool := v.(boolean); isBool && partner.d == ir.Bool {
			return &tensor{d: ir.Bool, v: ir.Literal(ir.Bool, truth(bool(b)))}, true
		}
		return f.tensor(v, at)
	}
	if !f.representable(n, partner.d, at) {
		return nil, false
	}
	return &tensor{d: partner.d, v: ir.Literal(partner.d, n.v)}, true
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// representable reports a number that a dtype does not have.
func (f *frame) representable(n num, d ir.DType, at diag.Pos) bool {
	low, high := -float64(1<<31), float64(1<<31-1)
	switch {
	case d.Float():
		if math.IsInf(d.Round(n.v), 0) {
			f.report(&diag.Diagnostic{Code: codeNumeric, Pos: at, Msg: fmt.Sprintf("%s is beyond %s", show(n), d), Fix: "1e30, for a very large number"})
			return false
		}
		return true
	case d == ir.U8:
		low, high = 0, 255
	}
	if d == ir.Bool || n.v != float64(int64(n.v)) || n.v < low || n.v > high {
		f.report(&diag.Diagnostic{Code: codeMixed, Pos: at, Msg: fmt.Sprintf("%s beside a tensor of %s", show(n), d),
			Label: fmt.Sprintf("%s has no such value", d), Fix: "f32(x) of its partner"})
		return false
	}
	return true
}

// pointwise builds an op of joined operands; d is the result's dtype.
func (f *frame) pointwise(name string, attrs any, d ir.DType, joined axes, at diag.Pos, ts ...*tensor) *tensor {
	in := make([]*ir.Value, len(ts))
	for i, t := range ts {
		in[i] = f.aligned(t, joined, at)
	}
	return &tensor{axes: joined, d: d, v: f.build(at).Apply(name, attrs, nil, in...)}
}

// cast converts a tensor; the stored value of a parameter is converted directly.
func (f *frame) cast(t *tensor, d ir.DType, at diag.Pos) *tensor {
	if t.cell != nil && d == ir.Real {
		return t
	}
	return &tensor{axes: t.axes, d: d, v: f.build(at).Cast(t.v, d)}
}

// wants reports a tensor of a dtype that an operation does not have.
func (f *frame) wants(op string, t *tensor, at diag.Pos, ok bool, expected, fix string) bool {
	if !ok {
		f.report(&diag.Diagnostic{Code: codeDType, Pos: at, Msg: fmt.Sprintf("`%s` does not take %s", op, t.d), Label: t.String(), Expected: expected, Fix: fix})
	}
	return ok
}
