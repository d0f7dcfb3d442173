package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// lowering builds one function of a program.
type lowering struct {
	name    string
	s       *scope
	args    []*ir.Value
	ports   []ir.Port
	results []*ir.Value
	outs    []ir.Port
}

func newLowering(name string) *lowering { return &lowering{name: name, s: newScope(&funcScope{})} }

func (w *lowering) arg(role ir.Role, name string, t ir.Type) *ir.Value {
	v := &ir.Value{Name: name, Type: t}
	w.args = append(w.args, v)
	w.ports = append(w.ports, ir.Port{Role: role, Name: name})
	return v
}

// result adds a result; a literal is spread first.
func (w *lowering) result(role ir.Role, name string, v *ir.Value) {
	if v.Lit != nil {
		v = w.s.b.Fill(v, nil)
	}
	w.results = append(w.results, v)
	w.outs = append(w.outs, ir.Port{Role: role, Name: name})
}

// function closes the region.
func (w *lowering) function(precision ir.DType) *ir.Func {
	r := w.s.b.Region
	r.Params, r.Yield = w.args, w.results
	return &ir.Func{Name: w.name, Args: w.ports, Results: w.outs, Precision: precision, Body: r}
}

// state lists the program's leaves in order: models, optimizers, averages, counters.
func (t *trainer) state() []*cell {
	return slices.Concat(t.model.leaves, t.opt.leaves, t.emas, t.counters[:])
}

// lower builds init and step.
func (t *trainer) lower() ([]*ir.Func, []string, bool) {
	if t.ema > 0 {
		for _, l := range t.trained() {
			e := *l
			e.path, e.role = "ema."+l.path, ir.LeafEMA
			t.emas = append(t.emas, &e)
		}
	}
	init, ok := t.lowerInit()
	step, metrics, good := t.lowerStep()
	if !ok || !good {
		return nil, nil, false
	}
	return []*ir.Func{init, step}, metrics, true
}

// initStep stands for the step in the keys of initial values: no run gets so far.
const initStep = 1<<32 - 1

func (t *trainer) lowerInit() (*ir.Func, bool) {
	w := newLowering("init")
	seed := w.arg(ir.RoleInput, "seed", t.counters[1].typ())
	w.s.fn.key = func(b *ir.Builder) *ir.Value { return fold(b, seed, ir.Literal(ir.U32, initStep)) }
	made := map[*cell]*ir.Value{}
	ok := true
	for _, l := range slices.Concat(t.model.leaves, t.opt.leaves) {
		if made[l] = t.f.initial(w.s, l); made[l] == nil {
			ok = false
			continue
		}
		w.result(ir.RoleState, l.path, made[l])
	}
	if !ok {
		return nil, false
	}
	for i, l := range t.trained() {
		if t.ema > 0 {
			w.result(ir.RoleState, t.emas[i].path, made[l])
		}
	}
	w.result(ir.RoleState, "t", w.s.b.Fill(ir.Literal(ir.I32, 0), nil))
	w.result(ir.RoleState, "seed", seed)
	return w.function(t.precision), true
}

// initial computes a leaf's first value: its initialiser is called once for each turn of the
// loops around, in a scan of its own, or once where it is the same number everywhere.
func (f *frame) initial(root *scope, l *cell) *ir.Value {
	root.fn.prefix = l.path
	defer func() { root.fn.prefix = "" }()
	scopes := []*scope{root}
	for _, r := range l.loops {
		scopes = append(scopes, scopes[len(scopes)-1].inner(r))
	}
	g := *l.frame
	g.s, g.noMake, g.training = scopes[len(scopes)-1], true, true
	x, ok := g.initialValue(l)
	if !ok {
		return nil
	}
	at := l.expr.Pos()
	if v := g.value(x, at); v.Lit != nil {
		root.b.Pos = g.loc(at)
		return root.b.Cast(root.b.Fill(v, l.allAxes().dims()), l.d)
	}
	to := append(slices.Clone(l.hidden), l.axes...)
	v := g.build(at).Cast(g.spreadTo(x, to, at), l.d)
	for i := len(scopes) - 1; i > 0; i-- {
		v = scopes[i].close(g.loc(at), nil, nil, []*ir.Value{v})[0]
	}
	return v
}

// initialValue calls the initialiser with the leaf's shape.
func (f *frame) initialValue(l *cell) (*tensor, bool) {
	callee, before := opened(l.init)
	fn := callee.(*function)
	at := l.expr.Pos()
	b := f.bind(f.signatureOf(fn), nil, before)
	i := b.sig.find("shape")
	if i < 0 {
		f.report(&diag.Diagnostic{Code: codeInitial, Pos: at, Msg: fmt.Sprintf("`%s` is no initialiser: it has no parameter `shape`", fn.name), Expected: "a fn such as nn.zeros"})
		return nil, false
	}
	if b.vals[i] == nil {
		b.vals[i], b.at[i] = l.axes, at
	}
	v := f.invoke(fn, b, l.expr)
	if isBad(v) {
		return nil, false
	}
	x, ok := f.tensor(v, at)
	if !ok {
		return nil, false
	}
	if x.d != ir.F32 || !x.axes.visible().same(l.axes) {
		f.report(&diag.Diagnostic{Code: codeInitial, Pos: at, Msg: fmt.Sprintf("the initial value of `%s` has another type", l.name()), Label: x.String(), Expected: (&tensor{axes: l.axes, d: ir.F32}).String()})
		return nil, false
	}
	return x, true
}

// inputs makes the arguments of a block's fn: the data's fields with the batch added.
func (b *block) inputs(w *lowering, d *dataset, batch int, fn *function) (*arguments, bool) {
	args := b.f.bind(b.f.signatureOf(fn), nil, nil)
	ok := true
	for i, p := range args.sig.list() {
		k := slices.IndexFunc(d.fields, func(x dataField) bool { return x.name == p.Name.Name })
		if k < 0 {
			b.noField(p, d)
			ok = false
			continue
		}
		if p.Type == nil || !p.Type.Tensor {
			b.f.report(&diag.Diagnostic{Code: codeFields, Pos: p.At, Msg: fmt.Sprintf("`%s` lacks its type", p.Name.Name), Fix: fmt.Sprintf("%s: %s", p.Name.Name, d.fields[k].t)})
			ok = false
			continue
		}
		t := d.fields[k].t
		l := append(axes{{name: "batch", size: batch, origin: b.settings["batch"].At}}, t.axes...)
		if !b.f.fits(p.At, l) {
			ok = false
			continue
		}
		v := w.arg(ir.RoleInput, p.Name.Name, ir.T(t.d, l.dims()...))
		args.vals[i], args.at[i] = &tensor{axes: l, d: t.d, v: v}, p.At
	}
	return args, ok
}

func (b *block) noField(p *Param, d *dataset) {
	var have []string
	for _, f := range d.fields {
		have = append(have, f.name)
	}
	b.f.report(&diag.Diagnostic{Code: codeFields, Pos: p.Name.At, Msg: fmt.Sprintf("`%s` has no field `%s`", d.decl.Name.Name, p.Name.Name),
		Expected: oneOf(have), Notes: []diag.Note{{Pos: d.decl.At, Text: "the data"}}, Fix: diag.Nearest(p.Name.Name, have)})
}

// run calls a block's fn in a function under construction. No expression calls it: a Bad one
// stands for its place.
func (b *block) run(f frame, fn *function, args *arguments) value {
	f.noMake = true
	return f.invoke(fn, args, &Bad{Span{fn.decl.At}})
}
