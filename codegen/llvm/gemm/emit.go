package gemm

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
)

// Kernel is a generated product: a function of its module, which larger kernels call.
type Kernel struct {
	Spec Spec
	Plan Plan
	fn   *ir.Func
}

// Call calls the product from the kernel that b builds, for tasks [lo, hi) of
// Plan.Tasks. a, b and c point at the first elements, scratch at Plan.Scratch bytes of
// the thread's own, aligned to 64 (unused if that is 0); args are the values for
// Spec.Args.
func (k *Kernel) Call(b *emit.Builder, pa, pb, pc, lo, hi, scratch value.Value, args ...value.Value) {
	b.Call(k.fn, append([]value.Value{pa, pb, pc, lo, hi, scratch}, args...)...)
}

// gen is the state of generating one product.
type gen struct {
	Spec
	m      *emit.Module
	name   string
	plan   Plan
	vl     int
	micros map[string]*ir.Func // helpers, by name

	packed     bool // B is read from packed panels
	rowA, colA int  // strides of A as micro-kernels read it
}

func newGen(m *emit.Module, name string, s Spec) (*gen, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if m.ISA != s.ISA {
		return nil, fmt.Errorf("gemm: a product for %v in a module for %v", s.ISA, m.ISA)
	}
	g := &gen{Spec: s, m: m, name: name, plan: s.Plan(), vl: s.ISA.Lanes(), micros: map[string]*ir.Func{}}
	g.packed = g.plan.PackB || s.Packing == PackedB
	g.rowA, g.colA = s.A.RowStride, s.A.ColStride
	if g.plan.PackA {
		shape := g.plan.packedA(&s)
		g.rowA, g.colA = shape.row, shape.col
	}
	return g, nil
}

// Emit generates a product in m under a name, and returns it to be called. Helpers are
// named name.something.
func Emit(m *emit.Module, name string, s Spec) (*Kernel, error) {
	g, err := newGen(m, name, s)
	if err != nil {
		return nil, err
	}
	params := []*ir.Param{emit.Param("a", emit.Ptr), emit.Param("b", emit.Ptr), emit.Param("c", emit.Ptr),
		emit.Param("lo", emit.I64), emit.Param("hi", emit.I64), emit.Param("scratch", emit.Ptr)}
	d := &driver{gen: g, a: params[0], pb: params[1], c: params[2], lo: params[3], hi: params[4], scratch: params[5]}
	for i, t := range s.Args {
		p := emit.Param(fmt.Sprintf("x%d", i), t)
		params, d.args = append(params, p), append(d.args, p)
	}
	d.b = m.Func(name, emit.Void, params...).NoInline()
	d.emit()
	return &Kernel{s, g.plan, d.b.Func()}, nil
}

// EmitKernel generates a product as a kernel of its own (see emit.Module.Kernel). Its
// operands are A, B, C, then Spec.Args, which must be pointers.
func EmitKernel(m *emit.Module, name string, s Spec) (Plan, error) {
	k, err := Emit(m, name+".gemm", s)
	if err != nil {
		return Plan{}, err
	}
	for _, t := range s.Args {
		if t != emit.Ptr {
			return Plan{}, fmt.Errorf("gemm: argument of type %v: a kernel's operands are pointers", t)
		}
	}
	b, ka := m.Kernel(name)
	ptrs := make([]value.Value, 3+len(s.Args))
	for i := range ptrs {
		ptrs[i] = b.LoadArg(ka.Args, i)
	}
	k.Call(b, ptrs[0], ptrs[1], ptrs[2], ka.Lo, ka.Hi, ka.Scratch, ptrs[3:]...)
	b.Ret(nil)
	return k.Plan, nil
}

// PackedBytes returns the size of B packed by the kernel of EmitPackB; it must be
// aligned to 64.
func (s *Spec) PackedBytes() int {
	p := s.Plan()
	return p.panels * roundUp(s.K, s.ISA.Lanes()) * p.NR * 4
}

// EmitPackB generates the kernel that packs B for a Spec with PackedB: operands are the
// destination (PackedBytes) and B. It returns the number of tasks, one a panel.
func EmitPackB(m *emit.Module, name string, s Spec) (tasks int, err error) {
	s.Packing = PackedB
	g, err := newGen(m, name, s)
	if err != nil {
		return 0, err
	}
	b, k := m.Kernel(name)
	d := &driver{gen: g, b: b, pb: b.LoadArg(k.Args, 1)}
	d.packPanels(b.LoadArg(k.Args, 0), k.Lo, k.Hi, emit.Int(0), emit.Int(s.K), d.wholePanel(), k.Lo)
	b.Ret(nil)
	return g.plan.panels, nil
}

// driver emits the loops over blocks.
type driver struct {
	*gen
	b               *emit.Builder
	a, pb, c        value.Value
	lo, hi, scratch value.Value
	args            []value.Value
}

// emit emits the loop over blocks of columns; within each, over the parts of K; within
// each, over the blocks of rows.
func (d *driver) emit() {
	b, mb := d.b, emit.Int(d.plan.MB)
	last := b.SDiv(b.Add(d.hi, emit.Int(d.plan.MB-1)), mb)
	b.For("n", b.SDiv(d.lo, mb), last, func(n value.Value) {
		first := b.Mul(n, mb)
		m0 := b.SMax(b.Sub(d.lo, first), emit.Int(0))
		m1 := b.SMin(b.Sub(d.hi, first), mb)
		if d.plan.KB == 1 {
			d.columns(n, m0, m1, nil)
			return
		}
		b.For("part", emit.Int(0), emit.Int(d.plan.KB), func(part value.Value) { d.columns(n, m0, m1, part) })
	})
	b.Ret(nil)
}

// work is what the loops know of the block they are in.
type work struct {
	p0, p1     value.Value // panels
	t0, t1     value.Value // tiles
	row0       value.Value // the first row of packed A
	k0, kc     value.Value // of K
	more, last value.Value // i1, nil where K is whole
}

// columns does blocks [m0, m1) of rows of block n of columns, for one part of K.
func (d *driver) columns(n, m0, m1, part value.Value) {
	b := d.b
	w := work{k0: emit.Int(0), kc: emit.Int(d.K)}
	if part != nil {
		w.k0 = b.Mul(part, emit.Int(d.plan.KC))
		w.kc = b.SMin(b.Sub(emit.Int(d.K), w.k0), emit.Int(d.plan.KC))
		w.more = b.ICmp(enum.IPredNE, part, emit.Int(0))
		w.last = b.ICmp(enum.IPredEQ, part, emit.Int(d.plan.KB-1))
	}
	w.p0 = b.Mul(n, emit.Int(d.plan.NP))
	w.p1 = b.SMin(b.Add(w.p0, emit.Int(d.plan.NP)), emit.Int(d.plan.panels))
	if d.plan.PackB {
		d.packPanels(d.scratch, w.p0, w.p1, w.k0, w.kc, d.plan.panelElems(&d.Spec), emit.Int(0))
	}
	b.For("m", m0, m1, func(m value.Value) {
		w.t0 = b.Mul(m, emit.Int(d.plan.MT))
		w.t1 = b.SMin(b.Add(w.t0, emit.Int(d.plan.MT)), emit.Int(d.plan.tiles))
		d.block(w)
	})
}

// packPanels packs panels [p0, p1) of B to dst, where panel p0 comes at position at.
func (d *driver) packPanels(dst, p0, p1, k0, kc value.Value, panel int, at value.Value) {
	b := d.b
	d.eachPanel(p0, p1, func(p value.Value, cols int) {
		off := b.Add(b.Mul(k0, emit.Int(d.B.RowStride)), b.Mul(p, emit.Int(d.plan.NR*d.B.ColStride)))
		src := b.At(d.B.DType.elem(), d.pb, off)
		to := b.At(emit.F32, dst, b.Mul(b.Add(b.Sub(p, p0), at), emit.Int(panel)))
		b.Call(d.packPanel(cols), src, to, kc)
	})
}

// eachPanel emits body for the panels of [p0, p1), apart for the last of all if that is
// narrower.
func (d *driver) eachPanel(p0, p1 value.Value, body func(p value.Value, cols int)) {
	b, full := d.b, d.plan.panels
	if d.plan.tailN != d.plan.NR {
		full--
	}
	if full > 0 {
		b.For("panel", p0, b.SMin(p1, emit.Int(full)), func(p value.Value) { body(p, d.plan.NR) })
	}
	if full < d.plan.panels {
		b.If(b.ICmp(enum.IPredSGT, p1, emit.Int(full)),
			func() []value.Value { body(emit.Int(full), d.plan.tailN); return nil }, nil)
	}
}

// eachTile emits body for the tiles of [t0, t1), apart for those of MR rows and those of
// one less.
func (d *driver) eachTile(t0, t1 value.Value, body func(t value.Value, rows int)) {
	b, tall := d.b, emit.Int(d.plan.tall)
	if d.plan.tall == d.plan.tiles {
		b.For("tile", t0, t1, func(t value.Value) { body(t, d.plan.MR) })
		return
	}
	b.For("tall", t0, b.SMin(t1, tall), func(t value.Value) { body(t, d.plan.MR) })
	b.For("short", b.SMax(t0, tall), t1, func(t value.Value) { body(t, d.plan.MR-1) })
}

// rowOf returns the first row of tile t.
func (d *driver) rowOf(t value.Value) value.Value {
	b := d.b
	if d.plan.tall == d.plan.tiles {
		return b.Mul(t, emit.Int(d.plan.MR))
	}
	return b.Add(b.Mul(t, emit.Int(d.plan.MR-1)), b.SMin(t, emit.Int(d.plan.tall)))
}

// block computes one block of C for one part of K.
func (d *driver) block(w work) {
	b := d.b
	if d.plan.PackA {
		w.row0 = d.rowOf(w.t0)
		rows := b.Sub(d.rowOf(w.t1), w.row0)
		off := b.Add(b.Mul(w.row0, emit.Int(d.A.RowStride)), b.Mul(w.k0, emit.Int(d.A.ColStride)))
		b.Call(d.packBlockA(), b.At(d.A.DType.elem(), d.a, off), b.Offset(d.scratch, d.plan.scratchA), rows, w.kc)
	}
	d.eachPanel(w.p0, w.p1, func(p value.Value, cols int) {
		pb := d.panelB(w, p)
		d.eachTile(w.t0, w.t1, func(t value.Value, rows int) { d.tile(w, t, p, pb, rows, cols) })
	})
}

func (d *driver) tile(w work, t, p, pb value.Value, rows, cols int) {
	b := d.b
	row, col := d.rowOf(t), b.Mul(p, emit.Int(d.plan.NR))
	at := b.Add(b.Mul(row, emit.Int(d.C.RowStride)), col)
	u := microParams{
		a: d.tileA(w, row), b: pb, c: b.At(d.C.DType.elem(), d.c, at),
		more: w.more, last: w.last, args: d.args,
	}
	if w.more != nil {
		u.kc = w.kc
	}
	if d.Epilogue != nil {
		u.row, u.col = row, col
	}
	b.Call(d.microKernel(rows, cols), u.list()...)
}

// tileA returns where the tile of A from a row on begins, in place or packed.
func (d *driver) tileA(w work, row value.Value) value.Value {
	b := d.b
	if d.plan.PackA {
		first := b.Mul(b.Sub(row, w.row0), emit.Int(d.rowA))
		return b.At(emit.F32, b.Offset(d.scratch, d.plan.scratchA), first)
	}
	return b.At(emit.F32, d.a, b.Add(b.Mul(row, emit.Int(d.rowA)), b.Mul(w.k0, emit.Int(d.colA))))
}

// panelB returns where panel p of B begins: in place, packed by this thread, or packed
// beforehand.
func (d *driver) panelB(w work, p value.Value) value.Value {
	b := d.b
	switch {
	case d.plan.PackB:
		return b.At(emit.F32, d.scratch, b.Mul(b.Sub(p, w.p0), emit.Int(d.plan.panelElems(&d.Spec))))
	case d.packed:
		row := d.plan.NR
		if d.plan.tailN != d.plan.NR {
			// Rows of the last panel are shorter.
			tail := b.ICmp(enum.IPredEQ, p, emit.Int(d.plan.panels-1))
			return b.At(emit.F32, d.pb, b.Add(b.Mul(p, emit.Int(d.wholePanel())),
				b.Mul(w.k0, b.Select(tail, emit.Int(roundUp(d.plan.tailN, d.vl)), emit.Int(row)))))
		}
		return b.At(emit.F32, d.pb, b.Add(b.Mul(p, emit.Int(d.wholePanel())), b.Mul(w.k0, emit.Int(row))))
	}
	return b.At(emit.F32, d.pb, b.Add(b.Mul(w.k0, emit.Int(d.B.RowStride)), b.Mul(p, emit.Int(d.plan.NR))))
}

// wholePanel is the size of a panel packed beforehand, in elements.
func (g *gen) wholePanel() int { return roundUp(g.K, g.vl) * g.plan.NR }

// rowB returns how far rows of B are apart as a micro-kernel of nv vectors reads them,
// in elements, and how they are aligned.
func (g *gen) rowB(nv int) (stride, align int) {
	if g.packed {
		return nv * g.vl, g.vl * 4
	}
	return g.B.RowStride, 4
}
