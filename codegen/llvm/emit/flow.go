package emit

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"
)

func (b *Builder) block(name string) *ir.Block {
	return b.fn.NewBlock(fmt.Sprintf("%s.%d", name, b.labels))
}

// Loop emits
//
//	for i := lo; i < hi; i += step { carried = body(i, carried) }
//
// over i64 and returns the carried values after it. body runs once, at build time, with
// the builder inside the loop; it may build control flow of its own.
func (b *Builder) Loop(name string, lo, hi, step value.Value, init []value.Value,
	body func(i value.Value, carried []value.Value) []value.Value) []value.Value {
	b.labels++
	head, in, out := b.block(name), b.block(name+".body"), b.block(name+".end")
	pre := b.cur
	pre.NewBr(head)
	i := head.NewPhi(ir.NewIncoming(lo, pre))
	phis := make([]*ir.InstPhi, len(init))
	carried := make([]value.Value, len(init))
	for j, v := range init {
		phis[j] = head.NewPhi(ir.NewIncoming(v, pre))
		carried[j] = phis[j]
	}
	head.NewCondBr(head.NewICmp(enum.IPredSLT, i, hi), in, out)
	b.cur = in
	next := body(i, append([]value.Value(nil), carried...))
	if len(next) != len(init) {
		panic(fmt.Sprintf("emit: loop %s carries %d values, its body returned %d", name, len(init), len(next)))
	}
	last := b.cur
	n := last.NewAdd(i, step)
	n.OverflowFlags = nsw
	last.NewBr(head)
	i.Incs = append(i.Incs, ir.NewIncoming(n, last))
	for j := range phis {
		phis[j].Incs = append(phis[j].Incs, ir.NewIncoming(next[j], last))
	}
	b.cur = out
	return carried
}

// For is Loop by one with nothing carried.
func (b *Builder) For(name string, lo, hi value.Value, body func(i value.Value)) {
	b.Loop(name, lo, hi, Int(1), nil, func(i value.Value, _ []value.Value) []value.Value {
		body(i)
		return nil
	})
}

// If emits both arms and returns the values of the one that runs; they must return as
// many, of the same types. A nil otherwise does nothing.
func (b *Builder) If(cond value.Value, then, otherwise func() []value.Value) []value.Value {
	b.labels++
	yes, no, join := b.block("then"), b.block("else"), b.block("join")
	b.cur.NewCondBr(cond, yes, no)
	b.cur = yes
	x := then()
	yes = b.cur
	yes.NewBr(join)
	b.cur = no
	var y []value.Value
	if otherwise != nil {
		y = otherwise()
	}
	no = b.cur
	no.NewBr(join)
	if len(x) != len(y) {
		panic(fmt.Sprintf("emit: the arms of an if return %d and %d values", len(x), len(y)))
	}
	b.cur = join
	out := make([]value.Value, len(x))
	for i := range x {
		out[i] = join.NewPhi(ir.NewIncoming(x[i], yes), ir.NewIncoming(y[i], no))
	}
	return out
}
