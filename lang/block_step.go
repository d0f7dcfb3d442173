package lang

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// lowerStep builds the training step:
//
//  1. loss = the block's fn of this batch, in training mode
//  2. gradients of the loss by every trained parameter, scaled to the clip norm
//  3. rate = the schedule at t + 1
//  4. each parameter's optimizer gives its new value and writes its own state
//  5. moving averages; t + 1
func (t *trainer) lowerStep() (*ir.Func, []string, bool) {
	w := newLowering("step")
	given := map[*cell]*ir.Value{}
	for _, l := range t.state() {
		given[l] = w.arg(ir.RoleState, l.path, l.typ())
		given[l].Pos = &diag.Loc{Pos: l.at, Path: l.path}
	}
	count, seed := given[t.counters[0]], given[t.counters[1]]
	w.s.fn.arg = func(l *cell) *ir.Value { return given[l] }
	w.s.fn.key = func(b *ir.Builder) *ir.Value { return fold(b, seed, b.Cast(count, ir.U32)) }
	f := *t.f
	f.s, f.training, f.noMake = w.s, true, true
	args, ok := t.inputs(w, t.data, t.batch, t.inst.call)
	if !ok {
		return nil, nil, false
	}
	steps := w.arg(ir.RoleInput, "steps", ir.T(ir.F32))
	loss, ok := t.loss(f, args)
	if !ok {
		return nil, nil, false
	}
	t.applyOptimizers(&f, loss, count, steps)
	if t.f.c.list.Errors() > 0 {
		return nil, nil, false
	}
	for _, l := range t.state() {
		w.result(ir.RoleState, l.path, w.s.read(l))
	}
	metrics := []string{"loss", "rate"}
	w.result(ir.RoleMetric, "loss", loss)
	w.result(ir.RoleMetric, "rate", t.now.rate)
	if t.clip > 0 {
		w.result(ir.RoleMetric, "grad_norm", t.now.norm)
		metrics = append(metrics, "grad_norm")
	}
	return w.function(t.precision), metrics, true
}

// stepping holds what a step computes on its way.
type stepping struct {
	rate, norm *ir.Value
	count      *tensor // t + 1
}

// loss runs the block's fn; it must give an f32 number.
func (t *trainer) loss(f frame, args *arguments) (*ir.Value, bool) {
	v := t.run(f, t.inst.call, args)
	if isBad(v) {
		return nil, false
	}
	body := t.inst.call.decl.Body
	at := t.inst.call.decl.At
	if len(body) > 0 {
		at = body[len(body)-1].Pos()
	}
	if _, none := v.(nothing); none {
		f.report(&diag.Diagnostic{Code: codeUnused, Pos: at, Msg: "the `fn` of a train block gives the number to minimise", Fix: "an expression as the last statement, such as mean(...)"})
		return nil, false
	}
	x, ok := f.tensor(v, at)
	if !ok {
		return nil, false
	}
	if len(x.axes) > 0 || x.d != ir.F32 {
		d := &diag.Diagnostic{Code: codeAxes, Pos: at, Msg: "the loss is one number in f32", Label: x.String(), Expected: "f32[]", Fix: "mean(...)"}
		if len(x.axes) == 0 {
			d.Code, d.Fix = codeMixed, "f32(...)"
		}
		f.report(d)
		return nil, false
	}
	return f.full(x, at), true
}

// applyOptimizers differentiates the loss and writes every parameter's new value.
func (t *trainer) applyOptimizers(f *frame, loss, count, steps *ir.Value) {
	at := t.decl.At
	leaves := t.trained()
	in := []*ir.Value{loss}
	for _, l := range leaves {
		in = append(in, f.s.read(l))
	}
	var grads []*ir.Value
	if len(leaves) > 0 {
		b := f.build(at)
		grads = b.Emit(&ir.Op{Row: ir.Lookup("grad"), In: in}, nil)
	}
	b := f.build(at)
	next := b.Add(count, ir.Literal(ir.I32, 1))
	t.now.count = &tensor{d: ir.F32, v: b.Cast(next, ir.F32)}
	rate, ok := t.schedule(f, &tensor{d: ir.F32, v: steps})
	if !ok {
		return
	}
	t.now.rate = f.full(rate, t.settings["rate"].Value.Pos())
	if t.clip > 0 {
		grads = t.clipped(f, leaves, grads)
	}
	for i, l := range leaves {
		w := f.s.read(l)
		if v, ok := t.update(f, l, w, grads[i]); ok {
			f.s.write(l, v)
		}
	}
	t.average(f, leaves)
	f.s.write(t.counters[0], next)
}

// schedule calls the rate's recipe with t and steps.
func (t *trainer) schedule(f *frame, steps *tensor) (*tensor, bool) {
	at := t.settings["rate"].Value.Pos()
	callee, before := opened(t.rate)
	fn := callee.(*function)
	b := f.bind(f.signatureOf(fn), nil, before)
	for name, v := range map[string]value{"t": t.now.count, "steps": steps} {
		i := b.sig.find(name)
		b.vals[i], b.at[i] = v, at
	}
	v := f.invoke(fn, b, &Name{Span: Span{at}})
	if isBad(v) {
		return nil, false
	}
	x, ok := f.tensor(v, at)
	if ok && (x.d != ir.F32 || len(x.axes) > 0) {
		f.report(&diag.Diagnostic{Code: codeValue, Pos: at, Msg: "the rate is one number in f32", Label: x.String(), Expected: "f32[]"})
		return nil, false
	}
	return x, ok
}

// clipped scales the gradients so that their global norm is at most the clip. Gradients that
// no optimizer reads do not count.
func (t *trainer) clipped(f *frame, leaves []*cell, grads []*ir.Value) []*ir.Value {
	at := t.settings["clip"].Value.Pos()
	var sum *ir.Value
	counts := make([]bool, len(leaves))
	for i, l := range leaves {
		if counts[i] = t.readsGradient(f, l); !counts[i] {
			continue
		}
		b := f.build(at)
		g := b.Cast(grads[i], ir.F32)
		s := b.SumAll(b.Mul(g, g))
		if sum == nil {
			sum = s
		} else {
			sum = b.Add(sum, s)
		}
	}
	b := f.build(at)
	if sum == nil {
		t.now.norm = b.Fill(ir.Literal(ir.F32, 0), nil)
		return grads
	}
	t.now.norm = b.Unary("sqrt", sum)
	scale := b.Binary("min", b.Div(b.Num(t.now.norm, t.clip), t.now.norm), b.Num(t.now.norm, 1))
	out := make([]*ir.Value, len(grads))
	for i, g := range grads {
		if out[i] = g; counts[i] {
			out[i] = b.Mul(g, b.Cast(scale, g.Type.DType))
		}
	}
	return out
}

// readsGradient runs a parameter's optimizer in a region that is thrown away, and looks
// whether anything that it gives depends on the gradient.
func (t *trainer) readsGradient(f *frame, l *cell) bool {
	g := *f
	fs := &funcScope{key: func(b *ir.Builder) *ir.Value {
		return fold(b, &ir.Value{Type: t.counters[1].typ()}, ir.Literal(ir.U32, 0))
	}}
	fs.arg = func(l *cell) *ir.Value { return &ir.Value{Name: l.path, Type: l.typ()} }
	g.s = newScope(fs)
	grad := &ir.Value{Type: l.typ()}
	v, ok := t.update(&g, l, g.s.read(l), grad)
	if !ok {
		return false
	}
	needed := map[*ir.Value]bool{v: true}
	for _, s := range g.s.written {
		needed[g.s.vals[s]] = true
	}
	ops := g.s.b.Region.Ops
	for i := len(ops) - 1; i >= 0; i-- {
		for _, out := range ops[i].Out {
			if needed[out] {
				for _, in := range ops[i].In {
					needed[in] = true
				}
			}
		}
	}
	return needed[grad]
}

// update calls a parameter's optimizer with its value and gradient: one call for all turns
// of its loops, whose axes ride along.
func (t *trainer) update(f *frame, l *cell, w, g *ir.Value) (*ir.Value, bool) {
	u := t.updates[l]
	inst, at := u.inst, u.at
	all := append(append(axes{}, inst.stacked...), l.axes...)
	b := f.bind(f.signatureOf(inst.call), nil, nil)
	as := func(v *ir.Value) *tensor {
		return &tensor{axes: all, d: ir.F32, v: f.build(at).Cast(v, ir.F32)}
	}
	b.vals = []value{as(w), as(g), &tensor{d: ir.F32, v: t.now.rate}, t.now.count}
	b.at = []diag.Pos{at, at, at, at}
	v := f.invoke(inst.call, b, &Name{Span: Span{at}})
	if isBad(v) {
		return nil, false
	}
	x, ok := f.tensor(v, at)
	if !ok {
		return nil, false
	}
	if x.d != ir.F32 || !x.axes.visible().same(l.axes) {
		f.report(&diag.Diagnostic{Code: codeAxes, Pos: at, Msg: fmt.Sprintf("the new value of `%s` has another type", l.path), Label: x.String(), Expected: (&tensor{axes: l.axes, d: ir.F32}).String()})
		return nil, false
	}
	return f.build(at).Cast(f.spreadTo(x, all, at), l.d), true
}

// average moves the averages towards the new parameters.
func (t *trainer) average(f *frame, leaves []*cell) {
	if t.ema == 0 {
		return
	}
	b := f.build(t.settings["ema"].Value.Pos())
	for i, l := range leaves {
		old := b.Cast(f.s.read(t.emas[i]), ir.F32)
		next := b.Add(b.MulC(old, t.ema), b.MulC(b.Cast(f.s.read(l), ir.F32), 1-t.ema))
		f.s.write(t.emas[i], b.Cast(next, l.d))
	}
}
