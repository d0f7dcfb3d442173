package llvm

import (
	"slices"

	"github.com/llir/llvm/ir/value"

	"vitc/codegen/llvm/emit"
	"vitc/codegen/llvm/gemm"
	"vitc/ir"
)

// dot generates a fusion of kind gemm:
//
//  1. Sort the dot's factors: rows are in a and the result, columns in b and the result, terms
//     in a and b, batch in all three. Adjacent axes of the result of one class are merged
//     where operands, result and all that the rest of the body reads move along them as one.
//     a and b are exchanged where that makes the result's last axis one of columns.
//  2. The last axis is N, the longest of rows is M; every other axis is a loop around a
//     product. All terms together are K: an operand in which they do not lie at one stride is
//     copied first.
//  3. The rest of the body is the product's epilogue.
//
// A product whose result ends with a batch axis is summed as a kernel of kind loop.
func (u *unit) dot(op *ir.Op) {
	g := newProduct(u, op)
	if g == nil {
		loop, twins := productLoop(op)
		u.loop(loop)
		u.redirect(len(op.In), twins)
		return
	}
	g.emit()
}

// class is the kind of a factor of a dot.
type class uint8

const (
	batch class = iota
	rows
	columns
	terms
)

// matrix is an operand of a product: its strides along the result's axes and along K.
type matrix struct {
	value *ir.Value
	term  ir.Term
	ref   ref // where it lies, which is the operand itself or a copy
	dtype ir.DType
	form  form
	along int // K's stride
}

// product is a gemm fusion sorted out.
type product struct {
	*space
	u           *unit
	class       []class // of each axis
	left, right *matrix // a and b, exchanged or not
	m, n        int     // axes; m is -1 for a single row
	loops       []int   // axes around the product
	k           int     // number of terms
	factors     []int   // of K, outermost first
}

// newProduct analyses a fusion; it is nil where the result's last axis is a batch axis.
func newProduct(u *unit, op *ir.Op) *product {
	g := &product{space: newSpace(op), u: u, m: -1}
	r := g.dot.Rule
	in := func(i int) *matrix {
		v := g.dot.In[i]
		at := slices.Index(op.Body.Params, v)
		if at < 0 {
			failf(g.dot, "operand %d is no parameter of its kernel", i)
		}
		return &matrix{value: v, term: r.In[i], ref: operandRef(op, at), dtype: v.Type.DType}
	}
	g.left, g.right = in(0), in(1)
	g.classify()
	last := len(g.axes) - 1
	for last >= 0 && g.axes[last].size == 1 {
		last--
	}
	if last < 0 || g.class[last] == batch {
		return nil
	}
	if g.class[last] == rows {
		g.exchange()
	}
	g.orderTerms()
	g.merge()
	g.n = len(g.axes) - 1
	for a := range g.n {
		if g.class[a] == rows && (g.m < 0 || g.axes[a].size > g.axes[g.m].size) {
			g.m = a
		}
	}
	for a := range g.n {
		if a != g.m {
			g.loops = append(g.loops, a)
		}
	}
	return g
}

// classify gives every axis its class, and every factor that is no axis to K.
func (g *product) classify() {
	r := g.dot.Rule
	for _, d := range r.Out[0] {
		switch f := d[0]; {
		case !r.In[1].Has(f):
			g.class = append(g.class, rows)
		case !r.In[0].Has(f):
			g.class = append(g.class, columns)
		default:
			g.class = append(g.class, batch)
		}
	}
	if len(g.class) != len(g.axes) {
		failf(g.dot, "its kernel has other loops than the product")
	}
	g.k = 1
	for f, x := range r.Factors {
		if !r.Out[0].Has(f) {
			g.factors = append(g.factors, f)
			g.k *= x.Size
		}
	}
}

// exchange swaps a and b, and with them rows and columns.
func (g *product) exchange() {
	g.left, g.right = g.right, g.left
	for i, c := range g.class {
		switch c {
		case rows:
			g.class[i] = columns
		case columns:
			g.class[i] = rows
		}
	}
}

// orderTerms puts K's factors in the order of b, and copies an operand where they do not lie
// at one stride.
func (g *product) orderTerms() {
	r := g.dot.Rule
	var order []int
	for _, d := range g.right.term {
		if slices.Contains(g.factors, d[0]) {
			order = append(order, d[0])
		}
	}
	g.factors = order
	for _, x := range []*matrix{g.right, g.left} {
		strides := factorStrides(r, x.term, x.value.Type)
		if !g.oneStride(strides) || x.dtype == ir.F16 {
			strides = g.copyOperand(x)
		}
		if len(order) > 0 {
			x.along = strides[g.innermost()]
		}
		x.form = make(form, len(g.axes))
		for i, d := range r.Out[0] {
			if x.term.Has(d[0]) {
				x.form[i] = strides[d[0]]
			}
		}
	}
}

// innermost is the last factor of K that has more than one position.
func (g *product) innermost() int {
	for i := len(g.factors) - 1; i >= 0; i-- {
		if g.dot.Rule.Factors[g.factors[i]].Size > 1 {
			return g.factors[i]
		}
	}
	return g.factors[0]
}

// oneStride reports whether K's factors, in their order, move as one.
func (g *product) oneStride(strides []int) bool {
	next := -1
	for i := len(g.factors) - 1; i >= 0; i-- {
		f := g.factors[i]
		size := g.dot.Rule.Factors[f].Size
		if size == 1 {
			continue
		}
		if next >= 0 && strides[f] != next {
			return false
		}
		next = strides[f] * size
	}
	return true
}

// copyOperand copies an operand to temporary memory, as f32 if it is f16: first what is not
// K, in the operand's order, then K. It returns the copy's strides.
func (g *product) copyOperand(x *matrix) []int {
	r := g.dot.Rule
	from := factorStrides(r, x.term, x.value.Type)
	var order []int
	for _, d := range x.term {
		if !slices.Contains(g.factors, d[0]) {
			order = append(order, d[0])
		}
	}
	order = append(order, g.factors...)
	strides := make([]int, len(r.Factors))
	n := 1
	for i := len(order) - 1; i >= 0; i-- {
		strides[order[i]] = n
		n *= r.Factors[order[i]].Size
	}
	var c box
	for _, f := range order {
		c.sizes = append(c.sizes, r.Factors[f].Size)
		c.src, c.dst = append(c.src, from[f]), append(c.dst, strides[f])
	}
	to := x.dtype
	if to == ir.F16 {
		to = ir.F32
	}
	home := g.u.reserve(n * to.Bytes())
	g.u.boxTo(g.op, c, x.dtype, to, x.ref, home)
	x.ref, x.dtype = home, to
	return strides
}

// merge merges axes of one class.
func (g *product) merge() {
	leaves := append(g.leaves(), g.left.form, g.right.form, g.forms[g.dot.Out[0]])
	to := g.coalesceBy(leaves, func(p, q int) bool { return g.class[p] == g.class[q] })
	var cs []class
	for a, n := range to.axis {
		if n == len(cs) {
			cs = append(cs, g.class[a])
		}
	}
	g.class = cs
	g.left.form, g.right.form = to.form(g.left.form), to.form(g.right.form)
	g.follow()
}

// element is a dtype as package gemm has it.
func element(op *ir.Op, d ir.DType) gemm.DType {
	switch d {
	case ir.F32:
		return gemm.F32
	case ir.BF16:
		return gemm.BF16
	}
	failf(op, "no products of %v", d)
	return 0
}

// spec is the product of one turn of the loops.
func (g *product) spec() gemm.Spec {
	y := g.op.Out[0]
	c := g.forms[g.body.Yield[0]]
	s := gemm.Spec{M: 1, N: g.axes[g.n].size, K: g.k, ISA: g.u.module.ISA,
		A: gemm.Matrix{ColStride: g.left.along, DType: element(g.dot, g.left.dtype)},
		B: gemm.Matrix{RowStride: g.right.along, ColStride: g.right.form[g.n], DType: element(g.dot, g.right.dtype)},
		C: gemm.Matrix{RowStride: g.axes[g.n].size, ColStride: c[g.n]}}
	if g.m >= 0 {
		s.M, s.A.RowStride, s.C.RowStride = g.axes[g.m].size, g.left.form[g.m], c[g.m]
	}
	if y.Type.DType == ir.F16 {
		failf(g.dot, "no products of %v", y.Type.DType)
	}
	s.C.DType = element(g.dot, y.Type.DType)
	return s
}

// emit generates the kernel.
func (g *product) emit() {
	s := g.spec()
	e := g.epilogue()
	if e != nil {
		s.Epilogue, s.Args, s.ReadsC = e.tile, e.types(), e.readsC()
	}
	k, err := gemm.Emit(g.u.module, g.u.name+".product", s)
	if err != nil {
		failf(g.dot, "%v", err)
	}
	name := g.u.next()
	b, ka := g.u.module.Kernel(name)
	w := &turns{product: g, b: b, k: k, e: e}
	args := w.bind(ka)
	tasks := w.emit(ka)
	b.Ret(nil)
	g.u.calls = append(g.u.calls, call{name, args, tasks, k.Plan.Scratch})
}

// turns emits the loops around a product.
type turns struct {
	*product
	b       *emit.Builder
	k       *gemm.Kernel
	e       *epilogue
	pa, pb  value.Value
	buffers []value.Value // results, then what the epilogue reads
}

// bind lists the kernel's arguments and loads their pointers.
func (w *turns) bind(ka emit.KernelArgs) []ref {
	args := []ref{w.left.ref, w.right.ref}
	for i := range w.op.Out {
		args = append(args, resultRef(w.op, i))
	}
	if w.e != nil {
		for _, i := range w.e.reads {
			args = append(args, operandRef(w.op, i))
		}
	}
	ptrs := make([]value.Value, len(args))
	for i := range ptrs {
		ptrs[i] = w.b.LoadArg(ka.Args, i)
	}
	w.pa, w.pb, w.buffers = ptrs[0], ptrs[1], ptrs[2:]
	return args
}

// emit emits the loop over turns, each with the product's own tasks, and returns the number
// of the kernel's tasks. Small products are done several in a task.
func (w *turns) emit(ka emit.KernelArgs) int {
	b, count := w.b, w.size(w.loops)
	own := w.k.Plan.Tasks
	if own == 1 {
		want := max(1, min(maxTasks, int(float64(count)*float64(w.k.Plan.FLOPs)/taskFLOPs)))
		per := (count + min(want, count) - 1) / min(want, count)
		last := b.SMin(b.Mul(ka.Hi, emit.Int(per)), emit.Int(count))
		b.For("turn", b.Mul(ka.Lo, emit.Int(per)), last, func(t value.Value) {
			w.turn(t, emit.Int(0), emit.Int(1), ka.Scratch)
		})
		return (count + per - 1) / per
	}
	n := emit.Int(own)
	b.For("turn", b.UDiv(ka.Lo, n), b.UDiv(b.Add(ka.Hi, emit.Int(own-1)), n), func(t value.Value) {
		first := b.Mul(t, n)
		w.turn(t, b.SMax(b.Sub(ka.Lo, first), emit.Int(0)), b.SMin(b.Sub(ka.Hi, first), n), ka.Scratch)
	})
	return own * count
}

// taskFLOPs is what a task of small products does.
const taskFLOPs = 1 << 19

// turn emits one product.
func (w *turns) turn(t, lo, hi, scratch value.Value) {
	b := w.b
	var sizes []int
	for _, a := range w.loops {
		sizes = append(sizes, w.axes[a].size)
	}
	index := make([]value.Value, len(w.axes))
	for i, d := range digits(b, t, sizes) {
		index[w.loops[i]] = d
	}
	advance := func(d ir.DType, f form, p value.Value) value.Value {
		for _, a := range w.loops {
			p = b.At(storedType(d), p, b.Mul(index[a], emit.Int(f[a])))
		}
		return p
	}
	pa, pb := advance(w.left.dtype, w.left.form, w.pa), advance(w.right.dtype, w.right.form, w.pb)
	pc := advance(w.op.Out[0].Type.DType, w.forms[w.body.Yield[0]], w.buffers[0])
	var more []value.Value
	if w.e != nil {
		more = w.e.values(w.buffers, index, advance)
	}
	w.k.Call(b, pa, pb, pc, lo, hi, scratch, more...)
}

// productLoop is a gemm fusion as one of kind loop: both operands are spread over the axes of
// the result and of K, multiplied and summed. Operands added after op's are op's operands of the
// numbers twins.
func productLoop(op *ir.Op) (loop *ir.Op, twins []int) {
	body := op.Body.Clone(map[*ir.Value]*ir.Value{})
	at := slices.IndexFunc(body.Ops, func(o *ir.Op) bool { return o.Row.Name == "dot" })
	d := body.Ops[at]
	twins = ownOperands(body, d)
	in := slices.Clone(op.In)
	for _, n := range twins {
		in = append(in, op.In[n])
	}
	b := &ir.Builder{Region: &ir.Region{}, Pos: d.Pos}
	sum := sumOfProducts(b, d)
	body.Ops = slices.Concat(body.Ops[:at], b.Region.Ops, body.Ops[at+1:])
	body.Replace(map[*ir.Value]*ir.Value{d.Out[0]: sum})
	return &ir.Op{Row: op.Row, In: in, Out: op.Out, Attrs: &ir.FusionAttrs{Kind: "loop"}, Body: body, Pos: op.Pos}, twins
}

// ownOperands gives a dot parameters that nothing else reads, as a dot reads each of its operands
// along an order of loops of its own; twins numbers those that the new ones are again.
func ownOperands(body *ir.Region, dot *ir.Op) (twins []int) {
	for i, p := range dot.In {
		if body.Uses()[p] == 1 {
			continue
		}
		twins = append(twins, slices.Index(body.Params, p))
		dot.In[i] = &ir.Value{Type: p.Type}
		body.Params = append(body.Params, dot.In[i])
	}
	return twins
}

// sumOfProducts appends what a dot computes as a product of spread operands and a sum.
func sumOfProducts(b *ir.Builder, dot *ir.Op) *ir.Value {
	r, out := dot.Rule, dot.Out[0].Type
	all := slices.Clone(r.Out[0])
	for f := range r.Factors {
		if !r.Out[0].Has(f) {
			all = append(all, ir.DimFactors{f})
		}
	}
	dims := make([]ir.Dim, len(all))
	for i, f := range all {
		dims[i].Size = r.Factors[f[0]].Size
	}
	spread := func(i int) *ir.Value {
		x := dot.In[i]
		if x.Type.DType != ir.F32 {
			x = b.Cast(x, ir.F32)
		}
		return b.Broadcast(x, r.Swap([]ir.Term{r.In[i]}, all), dims)
	}
	product := b.Mul(spread(0), spread(1))
	return b.Cast(b.ReduceTo("sum", product, r.Swap([]ir.Term{all}, r.Out[0]), out.Dims), out.DType)
}
