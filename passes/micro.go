package passes

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// CodeMeet: examples meet where a step in microbatches would keep them apart.
const CodeMeet = "V0509"

// SliceLabel is the label of the loop over slices; its first carry is the loss.
const SliceLabel = "micro"

// micro takes the gradient of a step in slices of its batch, one after the other, where the plan
// says so: a scan around forward and backward pass whose carries are the loss and, in f32, the
// gradients. It changes no number but the order of sums.
//
//  1. Of a batch of b examples in m slices, slice i has the examples i, i+m, i+2m and so on: the
//     batch is split [(bm)w->mbw], and a sharding of it stays where it is.
//  2. What depends on what is differentiated by, the active ops, moves into the scan. There each
//     op must work on examples one by one, until they are summed; from there on it must be linear.
//     The loss is then a sum over slices, and so is its gradient.
//  3. Other ops move along where they work on examples one by one, and otherwise stay outside, such
//     as a roll of mixup's: the scan cuts slices of what they give.
//  4. Draws do not change: a slice draws at the positions that its examples have in the batch.
//
// The pass stands before autodiff, which then differentiates within the scan.
func micro(m *ir.Module, c *Context) {
	if c.Plan == nil || c.Plan.Micro < 2 {
		return
	}
	for _, f := range m.Funcs {
		for i, op := range f.Body.Ops {
			if op.Row.Name == "grad" {
				inSlices(f, i, c)
				dropUnused(f.Body)
				break
			}
		}
	}
}

// slicing is one gradient on its way into a scan over slices.
type slicing struct {
	*spans
	n      int // slices
	c      *Context
	active map[*ir.Value]bool
	inside map[*ir.Op]bool    // moves into the scan
	sums   map[*ir.Value]bool // a slice has a part of the sum over all examples
	cut    []*ir.Value        // made outside, of which the scan cuts slices

	outer, body *ir.Builder
	turn        *ir.Value               // i32[], of the scan
	mine        map[*ir.Value]*ir.Value // of the slice, for a value of the batch
	failed      bool
}

// inSlices replaces the grad at an index of a function's ops.
func inSlices(f *ir.Func, at int, c *Context) {
	grad, before, after := f.Body.Ops[at], f.Body.Ops[:at:at], f.Body.Ops[at+1:]
	s := &slicing{spans: spansOf(f, before), n: c.Plan.Micro, c: c, active: map[*ir.Value]bool{}, inside: map[*ir.Op]bool{},
		sums: map[*ir.Value]bool{}, mine: map[*ir.Value]*ir.Value{}}
	if s.batch == 0 || s.batch%s.n != 0 {
		c.Refuse(&diag.Diagnostic{Code: CodeUneven, Pos: c.Plan.Pos, Msg: fmt.Sprintf("a batch of %d cannot be cut into %d slices", s.batch, s.n)})
		return
	}
	for _, w := range grad.In[1:] {
		s.active[w] = true
	}
	spreadActive(before, s.active)
	s.outer = &ir.Builder{Region: &ir.Region{Ops: before}, Pos: grad.Pos}
	s.need(grad.In[0])
	out := s.scan(before, grad)
	if s.failed {
		return
	}
	b := s.outer
	same := map[*ir.Value]*ir.Value{grad.In[0]: out[0]}
	for i, g := range grad.Out {
		same[g] = b.Cast(out[1+i], g.Type.DType)
	}
	rest := &ir.Region{Ops: after, Yield: f.Body.Yield}
	rest.Replace(same)
	f.Body.Ops = append(b.Region.Ops, after...)
}

// need marks the ops that move into the scan, from a value of it back to where the scan begins.
func (s *slicing) need(v *ir.Value) {
	op := v.Def
	if op == nil || s.inside[op] {
		s.cutHere(v)
		return
	}
	moves := s.activeOp(op)
	if w, _ := s.conductOf(op); w == exampleWise {
		moves = true
	}
	if !moves {
		s.cutHere(v)
		return
	}
	s.inside[op] = true
	for _, u := range op.In {
		s.need(u)
	}
}

func (s *slicing) activeOp(op *ir.Op) bool {
	for _, o := range op.Out {
		if s.active[o] {
			return true
		}
	}
	return false
}

// cutHere makes a value that comes from outside one of those that the scan cuts, if it has
// examples.
func (s *slicing) cutHere(v *ir.Value) {
	if _, has := s.of[v]; !has || v.Lit != nil || v.Def != nil && s.inside[v.Def] {
		return
	}
	for _, have := range s.cut {
		if have == v {
			return
		}
	}
	s.cut = append(s.cut, v)
}

// scan builds the loop over slices; it gives the loss and the gradients in f32.
func (s *slicing) scan(before []*ir.Op, grad *ir.Op) []*ir.Value {
	b := s.outer
	loss, by := grad.In[0], grad.In[1:]
	s.body = &ir.Builder{Region: &ir.Region{}, Pos: grad.Pos}
	var in []*ir.Value
	sums := []*ir.Value{s.body.Param(loss.Name, loss.Type)}
	in = append(in, b.Fill(ir.Literal(loss.Type.DType, 0), nil))
	for _, w := range by {
		sums = append(sums, s.body.Param(w.Name, w.Type.As(ir.F32)))
		in = append(in, b.Fill(ir.Literal(ir.F32, 0), w.Type.Dims))
	}
	for _, v := range s.cut {
		in = append(in, s.split(v))
		s.mine[v] = s.body.Param(v.Name, s.sliceType(v))
	}
	s.turn = s.body.Param("slice", ir.T(ir.I32))
	in = append(in, b.Iota(ir.T(ir.I32, ir.Dim{Label: SliceLabel, Size: s.n}), 0))
	s.clone(before)
	if s.failed {
		return nil
	}
	part := s.mine[loss]
	if !s.sums[loss] {
		part = s.body.MulC(s.known(loss), 1/float64(s.n))
	}
	s.body.Pos = grad.Pos
	grads := s.body.Emit(&ir.Op{Row: grad.Row, In: append([]*ir.Value{part}, by...)}, nil)
	next := []*ir.Value{s.body.Add(sums[0], part)}
	for i, g := range grads {
		next = append(next, s.body.Add(sums[1+i], s.body.Cast(g, ir.F32)))
	}
	s.body.Region.Yield = next
	in = append(in, s.body.Region.Close()...)
	a := ir.ScanAttrs{Length: s.n, Label: SliceLabel, Carry: len(sums), Each: len(s.cut) + 1}
	return b.Scan(a, in, s.body.Region)
}

// known is a value inside the scan: that of the slice, or the outer one, which is the same for
// all slices.
func (s *slicing) known(v *ir.Value) *ir.Value {
	if w := s.mine[v]; w != nil {
		return w
	}
	return v
}

// clone copies what moves into the scan, op by op, and checks it.
func (s *slicing) clone(ops []*ir.Op) {
	for _, op := range ops {
		if !s.inside[op] {
			continue
		}
		w, _ := s.conductOf(op)
		of := s.sumsOf(op)
		switch {
		case w == meeting, len(of) > 0 && (w != untouched || !linearIn(op, of)):
			s.refuse(op)
			return
		case w == summing || len(of) > 0:
			s.sums[op.Out[0]] = true
		}
		if len(of) > 0 && len(of) < len(op.In) && (op.Row.Name == "add" || op.Row.Name == "sub") {
			s.spreadEvenly(op, of)
			continue
		}
		s.copyOp(s.body, op)
	}
}

// sumsOf lists the operands of an op that are sums over examples.
func (s *slicing) sumsOf(op *ir.Op) []int {
	var of []int
	for i, v := range op.In {
		if s.sums[v] {
			of = append(of, i)
		}
	}
	return of
}

// linearIn reports whether an op is linear in some of its operands together, the others held.
func linearIn(op *ir.Op, of []int) bool {
	switch op.Row.Name {
	case "add", "sub", "neg", "stop", "broadcast", "rearrange":
		return true
	case "cast":
		return op.Out[0].Type.DType.Float()
	case "reduce":
		return op.Attrs.(*ir.ReduceAttrs).Kind == "sum"
	case "mul", "dot":
		return len(of) == 1
	case "div":
		return len(of) == 1 && of[0] == 0
	}
	return false
}

// spreadEvenly adds to a part of a sum its share of what is added to the whole.
func (s *slicing) spreadEvenly(op *ir.Op, of []int) {
	other := 1 - of[0]
	b := s.body
	b.Pos = op.Pos
	in := []*ir.Value{s.known(op.In[0]), s.known(op.In[1])}
	in[other] = b.MulC(in[other], 1/float64(s.n))
	s.mine[op.Out[0]] = b.Binary(op.Row.Name, in[0], in[1])
}

// refuse says where examples meet.
func (s *slicing) refuse(op *ir.Op) {
	s.failed = true
	op = s.culprit(op)
	d := &diag.Diagnostic{Code: CodeMeet, Msg: fmt.Sprintf("examples of a batch meet here, so plan %s cannot take the batch in %d slices", s.c.Plan.Name, s.n),
		Label: fmt.Sprintf("`%s` joins examples after a trained parameter and before the final sum or mean", op.Row.Name), Fix: "micro: 1"}
	if op.Pos != nil {
		d.Pos = op.Pos.Pos
		for at := op.Pos.From; at != nil; at = at.From {
			d.Notes = append(d.Notes, diag.Note{Pos: at.Pos, Text: "used here"})
		}
	}
	s.c.Refuse(d)
}
