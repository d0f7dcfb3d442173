package passes

import (
	"slices"

	"vitc/ir"
)

// autodiff replaces grad by the reverse-mode gradient of its loss.
//
//  1. Values that depend on what grad differentiates by are active; the rest has no cotangent.
//  2. Ops are visited from the loss back to the first; each row's VJP turns the cotangents of
//     the results into those of the operands, and several cotangents of a value are added.
//  3. A scan becomes a scan the other way: its carries are the cotangents of the forward
//     carries and of the constants; cotangents of stacked results and each-operands are cut
//     and stacked. What the backward body needs of the forward turn is, by a minimum cut over
//     bytes, stacked by the forward scan or computed again (see cut.go and remat.go).
//  4. A softmax, and a product with one, is pulled back as a whole (see softmax.go).
//  5. Outside of loops the backward pass computes again what the plan says (see remat_outside.go).
//  6. stop becomes its operand.
//
// Gradient ops carry the position of the op they belong to.
func autodiff(m *ir.Module, ctx *Context) {
	for _, f := range m.Funcs {
		differentiate(f.Body, newKeeper(f, ctx))
		dropStops(f.Body)
	}
}

// differentiate expands the grads of a region, and those in its loops.
func differentiate(r *ir.Region, k *keeper) {
	isGrad := func(op *ir.Op) bool { return op.Row.Name == "grad" }
	for slices.ContainsFunc(r.Ops, isGrad) {
		soft := softmaxes(r)
		expandGrad(r, slices.IndexFunc(r.Ops, isGrad), soft, k)
	}
	for _, op := range r.Ops {
		if op.Body != nil {
			differentiate(op.Body, k)
		}
	}
}

// expandGrad replaces the grad at r.Ops[at] by the ops that compute it.
func expandGrad(r *ir.Region, at int, soft map[*ir.Value]*softmax, k *keeper) {
	grad := r.Ops[at]
	loss, by := grad.In[0], grad.In[1:]
	before, after := r.Ops[:at:at], r.Ops[at+1:]
	active := map[*ir.Value]bool{}
	for _, v := range by {
		active[v] = true
	}
	spreadActive(before, active)

	b := &ir.Builder{Region: &ir.Region{Ops: before}, Pos: grad.Pos}
	t := &tape{b: b, active: active, cot: map[*ir.Value]*ir.Value{}, soft: soft, keep: k, turns: 1}
	t.add(loss, ir.Literal(loss.Type.DType, 1))
	t.backward(before)
	t.outside(before)
	replaced := map[*ir.Value]*ir.Value{}
	b.Pos = grad.Pos
	for i, v := range by {
		replaced[grad.Out[i]] = t.cotangent(v)
	}
	r.Ops = append(b.Region.Ops, after...)
	r.Replace(replaced)
}

// spreadActive marks the float results that depend on an active value.
func spreadActive(ops []*ir.Op, active map[*ir.Value]bool) {
	for _, op := range ops {
		if op.Row.Name == "scan" {
			activeScan(op, active)
			continue
		}
		if op.Row.VJP == nil {
			continue
		}
		for _, v := range op.In {
			if active[v] {
				for _, o := range op.Out {
					active[o] = o.Type.DType.Float()
				}
			}
		}
	}
}

// activeScan spreads activity through a scan's body; carries that become active on the way round
// make it another round.
func activeScan(op *ir.Op, active map[*ir.Value]bool) {
	a := op.Attrs.(*ir.ScanAttrs)
	for i, p := range op.Body.Params {
		if active[op.In[i]] {
			active[p] = true
		}
	}
	for again := true; again; {
		again = false
		spreadActive(op.Body.Ops, active)
		for i, y := range op.Body.Yield {
			if p := op.Body.Params[i]; active[y] && !active[p] && p.Type.DType.Float() {
				active[p], again = true, true
			}
		}
	}
	for i, y := range op.Body.Yield {
		active[op.Out[i]] = active[y] || active[op.Body.Params[i]]
	}
	for i, s := range op.Body.Stack {
		active[op.Out[a.Carry+i]] = active[s]
	}
}

// tape holds the cotangents of one region while it is walked backwards.
type tape struct {
	b      *ir.Builder
	active map[*ir.Value]bool
	cot    map[*ir.Value]*ir.Value
	soft   map[*ir.Value]*softmax // by their probabilities
	keep   *keeper
	turns  int // of the loops around that are differentiated too
}

// add accumulates a cotangent of v.
func (t *tape) add(v, d *ir.Value) {
	if d == nil || !t.active[v] {
		return
	}
	if have := t.cot[v]; have != nil {
		d = t.b.Add(have, d)
	}
	t.cot[v] = d
}

// cotangent is v's accumulated cotangent as a value of v's type: zeros where none came.
func (t *tape) cotangent(v *ir.Value) *ir.Value {
	d := t.cot[v]
	if d == nil {
		d = ir.Literal(v.Type.DType, 0)
	}
	if d.Lit != nil || d.Type.Rank() < v.Type.Rank() {
		d = t.b.Fill(d, v.Type.Dims)
	}
	return d
}

// backward visits ops from last to first and appends their VJPs to the builder.
func (t *tape) backward(ops []*ir.Op) {
	for i := len(ops) - 1; i >= 0; i-- {
		op := ops[i]
		reached := false
		d := make([]*ir.Value, len(op.Out))
		for j, v := range op.Out {
			d[j] = t.cot[v]
			reached = reached || d[j] != nil
		}
		if !reached {
			continue
		}
		t.b.Pos = op.Pos
		if op.Row.Name == "scan" {
			t.scan(op)
			continue
		}
		if op.Row.VJP == nil {
			continue
		}
		for j, v := range op.Out { // a ranked result has a ranked cotangent
			if d[j] != nil && v.Type.Rank() > 0 {
				d[j] = t.cotangent(v)
			}
		}
		if len(op.Out) == 1 && t.softmax(op, d[0]) {
			continue
		}
		for j, in := range op.Row.VJP(t.b, op, d) {
			t.add(op.In[j], in)
		}
	}
}

func dropStops(r *ir.Region) {
	gone := map[*ir.Value]*ir.Value{}
	var kept []*ir.Op
	for _, op := range r.Ops {
		if op.Row.Name == "stop" {
			gone[op.Out[0]] = op.In[0]
			continue
		}
		if op.Body != nil {
			dropStops(op.Body)
		}
		kept = append(kept, op)
	}
	r.Ops = kept
	r.Replace(gone)
}
