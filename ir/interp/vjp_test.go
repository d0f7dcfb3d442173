package interp_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/interp"
)

// gradCase checks the VJP of the op in its line by finite differences. Arguments without
// elements are drawn from lo..hi.
type gradCase struct {
	opCase
	lo, hi float64
}

func grads(lo, hi float64, line string, args ...string) gradCase {
	return gradCase{opCase{args: args, line: line}, lo, hi}
}

func unaryGrad(name string, lo, hi float64) gradCase {
	return grads(lo, hi, "%y: f32[a:2, b:3] = "+name+" %a", "f32[a:2, b:3]")
}

// binaryGrads are the ways in which operands join: equal shapes, a rank-0 operand on either
// side, both of rank 0, a literal, and one value twice.
func binaryGrads(name string, lo, hi float64) []gradCase {
	return []gradCase{
		grads(lo, hi, "%y: f32[a:2, b:3] = "+name+" %a, %b", "f32[a:2, b:3]", "f32[a:2, b:3]"),
		grads(lo, hi, "%y: f32[a:2, b:3] = "+name+" %a, %b", "f32[]", "f32[a:2, b:3]"),
		grads(lo, hi, "%y: f32[a:2, b:3] = "+name+" %a, %b", "f32[a:2, b:3]", "f32[]"),
		grads(lo, hi, "%y: f32[] = "+name+" %a, %b", "f32[]", "f32[]"),
		grads(lo, hi, "%y: f32[n:4] = "+name+" %a, 1.25", "f32[n:4]"),
		grads(lo, hi, "%y: f32[n:4] = "+name+" 1.25, %a", "f32[n:4]"),
		grads(lo, hi, "%y: f32[n:4] = "+name+" %a, %a", "f32[n:4]"),
	}
}

func pointGradients() []gradCase {
	cases := []gradCase{
		unaryGrad("neg", -2, 2), unaryGrad("abs", -2, 2), unaryGrad("exp", -2, 2), unaryGrad("log", 0.3, 2),
		unaryGrad("log1p", -0.5, 2), unaryGrad("sqrt", 0.3, 2), unaryGrad("rsqrt", 0.3, 2), unaryGrad("tanh", -2, 2),
		unaryGrad("erf", -2, 2), unaryGrad("logistic", -3, 3), unaryGrad("sin", -3, 3), unaryGrad("cos", -3, 3),
		grads(-2, 2, "%y: f32[n:3] = cast %a", "real[n:3]"),
		grads(-2, 2, "%y: f32[n:3] = select %a, %b, %c", "bool[n:3]: 1 0 1", "f32[n:3]", "f32[n:3]"),
		grads(-2, 2, "%y: f32[n:3] = select %a, %b, %c", "bool[n:3]: 1 0 1", "f32[]", "f32[n:3]"),
		grads(-2, 2, "%y: f32[n:3] = select %a, %b, %c", "bool[]: 1", "f32[n:3]", "f32[]"),
		grads(-2, 2, "%y: f32[n:3] = select %a, %b, 0.5", "bool[n:3]: 1 0 1", "f32[]"),
		// Where two operands are equal, the central difference of max and of min is one half.
		grads(0, 0, "%y: f32[n:4] = max %a, %b", "f32[n:4]: 1 2 3 4", "f32[n:4]: 1 0 3 5"),
		grads(0, 0, "%y: f32[n:4] = min %a, %b", "f32[n:4]: 1 2 3 4", "f32[n:4]: 1 0 3 5"),
		grads(0, 0, "%y: f32[n:3] = max %a, 0", "f32[n:3]: 0 -1 1"),
		grads(0, 0, "%y: f32[n:3] = rem %a, %b", "f32[n:3]: 7 -7 5.5", "f32[n:3]: 4 4 -1.75"),
	}
	for _, name := range []string{"add", "sub", "mul", "div", "pow"} {
		cases = append(cases, binaryGrads(name, 0.5, 2)...)
	}
	for _, name := range []string{"max", "min"} {
		cases = append(cases, binaryGrads(name, -2, 2)[:6]...) // max(x, x) is not two operands
	}
	return cases
}

var shapeGradients = []gradCase{
	grads(-2, 2, "%y: f32[a:2, b:3, c:2] = broadcast %a [b->abc]", "f32[b:3]"),
	grads(-2, 2, "%y: f32[c:2, a:3] = broadcast %a [->ca]", "f32[]"),
	grads(-2, 2, "%y: f32[b:3, a:2] = rearrange %a [ab->ba]", "f32[a:2, b:3]"),
	grads(-2, 2, "%y: f32[p:3, n:4, c:1] = rearrange %a [b(yp)->p(yb)()]", "f32[b:2, n:6]"),
	grads(-2, 2, "%y: f32[b:2, h:3, w:2, p:2, q:3] = rearrange %a [b(hp)(wq)->bhwpq]", "f32[b:2, h:6, w:6]"),
	grads(-2, 2, "%y: f32[b:2, g:6, p:6] = rearrange %a [bhpwq->b(hw)(pq)]", "f32[b:2, h:3, p:2, w:2, q:3]"),
	grads(-2, 2, "%y: f32[b:3] = reduce %a [abc->b] kind=sum", "f32[a:2, b:3, c:2]"),
	grads(-2, 2, "%y: f32[c:2, a:2] = reduce %a [abc->ca] kind=max", "f32[a:2, b:3, c:2]"),
	grads(-2, 2, "%y: f32[] = reduce %a [ab->] kind=min", "f32[a:2, b:3]"),
	grads(0, 0, "%y: f32[a:2] = reduce %a [ab->a] kind=max", "f32[a:2, b:3]: 1 5 5 2 0 2"), // pairs of equals
	grads(0, 0, "%y: f32[a:2] = reduce %a [ab->a] kind=min", "f32[a:2, b:3]: 1 1 5 2 0 0"),
	grads(-2, 2, "%y: f32[a:2, c:4] = dot %a, %b [ab,bc->ac]", "f32[a:2, b:3]", "f32[b:3, c:4]"),
	grads(-2, 2, "%y: f32[c:4, a:2] = dot %a, %b [ba,cb->ca]", "f32[b:3, a:2]", "f32[c:4, b:3]"),
	grads(-2, 2, "%y: f32[b:2, h:3, q:2, k:3] = dot %a, %b [bqhe,bkhe->bhqk]", "f32[b:2, q:2, h:3, e:2]", "f32[b:2, k:3, h:3, e:2]"),
	grads(-2, 2, "%y: f32[a:2] = dot %a, %b [akj,kaj->a]", "f32[a:2, k:3, j:2]", "f32[k:3, a:2, j:2]"),
	grads(-2, 2, "%y: f32[n:2, m:3] = dot %a, %b [n,m->nm]", "f32[n:2]", "f32[m:3]"),
	grads(-2, 2, "%y: f32[] = dot %a, %b [n,n->]", "f32[n:3]", "f32[n:3]"),
	grads(-2, 2, "%y: f32[n:3, k:3] = dot %a, %a [nj,kj->nk]", "f32[n:3, j:2]"),
	grads(-2, 2, "%y: f32[a:2, b:2, c:2] = slice %a dim=1 from=1 to=3", "f32[a:2, b:4, c:2]"),
	grads(-2, 2, "%y: f32[n:1] = slice %a dim=0 from=2 to=3", "f32[n:3]"),
	grads(-2, 2, "%y: f32[a:2, b:6] = pad %a dim=1 lo=1 hi=2", "f32[a:2, b:3]"),
	grads(-2, 2, "%y: f32[a:4, b:3] = pad %a dim=0 lo=2 hi=0", "f32[a:2, b:3]"),
	grads(-2, 2, "%y: f32[n:3] = fence %a why=\"no reason\"", "f32[n:3]"),
	grads(-2, 2, "%y: f32[n:3] = reshard %a", "f32[n:3]"),
	grads(-2, 2, "%y: f32[a:2, b:3] = roll %a dim=1 by=1", "f32[a:2, b:3]"),
	grads(-2, 2, "%y: f32[a:5, b:3] = roll %a dim=0 by=-7", "f32[a:5, b:3]"),
	grads(-2, 2, "%y: f32[a:2, b:6] = concat %a, %b, %c dim=1", "f32[a:2, b:3]", "f32[a:2, b:1]", "f32[a:2, b:2]"),
	grads(-2, 2, "%y: f32[n:6] = concat %a, %a dim=0", "f32[n:3]"),
	grads(-2, 2, "%y: f32[n:4, b:3] = gather %a, %b [vb,n->nb]", "f32[v:3, b:3]", "i32[n:4]: 2 2 -1 3"),
	grads(-2, 2, "%y: f32[a:2, n:2] = gather %a, %b [av,an->an]", "f32[a:2, v:3]", "i32[a:2, n:2]: 2 0 7 2"),
	grads(-2, 2, "%y: f32[b:3] = gather %a, %b [vb,->b]", "f32[v:3, b:3]", "i32[]: 1"),
	grads(-2, 2, "%y: f32[v:3, b:2] = scatter_add %a, %b [n,nb->vb]", "i32[n:4]: 2 2 -1 3", "f32[n:4, b:2]"),
	grads(-2, 2, "%y: f32[a:2, o:3, k:3, c:2] = window %a dim=1 size=3 stride=2 lo=1 hi=2", "f32[a:2, b:4, c:2]"),
	grads(-2, 2, "%y: f32[o:2, k:2] = window %a dim=0 size=2 stride=3 lo=1 hi=0", "f32[n:4]"),
	grads(-2, 2, "%y: f32[a:2, n:4] = unwindow %a dim=1 size=3 stride=2 lo=1 hi=2", "f32[a:2, o:3, k:3]"),
	grads(-2, 2, "%y: f32[n:6, b:2] = unwindow %a dim=0 size=2 stride=3 lo=0 hi=-1", "f32[o:2, k:2, b:2]"),
	grads(0, 0, "%y: f32[q:2, c:3] = solve %a, %b", "f32[p:2, q:2]: 4 1 0.5 3", "f32[p:2, c:3]: 1 -2 3 0.5 1 2"),
	grads(0, 0, "%y: f32[b:2, q:2, c:1] = solve %a, %b", "f32[b:2, p:2, q:2]: 4 1 0.5 3 2 -1 1 5", "f32[b:2, p:2, c:1]: 1 -2 3 0.5"),
	grads(-2, 2, "%y: f32[b:2, v:3] = scatter_add %a, %b [bn,bn->bv]", "i32[b:2, n:2]: 1 1 9 0", "f32[b:2, n:2]"),
}

func allGradients() []gradCase { return append(pointGradients(), shapeGradients...) }

// vjpFunc makes, from a function of one op, the function that also takes the cotangent of the
// result and gives those of the parameters of floating dtype, in order.
func vjpFunc(t *testing.T, f *ir.Func) (g *ir.Func, wrt []int) {
	t.Helper()
	body := f.Body.Clone(map[*ir.Value]*ir.Value{})
	op := body.Ops[len(body.Ops)-1]
	b := &ir.Builder{Region: body}
	d := b.Param("d", op.Out[0].Type)
	sums := map[*ir.Value]*ir.Value{}
	for i, g := range op.Row.VJP(b, op, []*ir.Value{d}) {
		if in := op.In[i]; g != nil && in.Lit == nil {
			if !g.Type.Same(in.Type) {
				t.Fatalf("the cotangent of operand %d is %s, the operand %s", i+1, g.Type, in.Type)
			}
			if sums[in] != nil {
				g = b.Add(sums[in], g)
			}
			sums[in] = g
		}
	}
	body.Yield = nil
	g = &ir.Func{Name: "vjp", Args: append(append([]ir.Port(nil), f.Args...), ir.Port{Role: ir.RoleInput, Name: "d"}), Body: body}
	for i, p := range body.Params[:len(f.Args)] {
		if !p.Type.DType.Float() {
			continue
		}
		if sums[p] == nil {
			t.Fatalf("operand %s gets no cotangent", f.Args[i].Name)
		}
		wrt = append(wrt, i)
		body.Yield = append(body.Yield, sums[p])
		g.Results = append(g.Results, ir.Port{Role: ir.RoleOutput, Name: f.Args[i].Name})
	}
	if err := ir.Verify(&ir.Module{Phase: ir.Differentiated, Funcs: []*ir.Func{g}}); err != nil {
		t.Fatal(err)
	}
	return g, wrt
}

// The central difference of step h errs by h²·f‴/6 and by 2⁻⁵³·|f|/h of rounding. With h = 2⁻¹⁷
// both are below 10⁻⁹ for the functions and arguments here (f‴ up to about 100 for log and rsqrt
// at 0.3), which leaves three digits of room; a wrong rule errs in the first digits.
const (
	fdStep      = 0x1p-17
	fdTolerance = 1e-6
)

func exactly(t *testing.T, f *ir.Func, args []*interp.Tensor) []*interp.Tensor {
	t.Helper()
	out, err := interp.Run(f, args, interp.Options{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c gradCase) check(t *testing.T) {
	t.Helper()
	f := module(t, c.text(ir.Differentiated)).Funcs[0]
	rnd := rand.New(rand.NewPCG(1, 2))
	var args []*interp.Tensor
	for i, a := range c.args {
		x := interp.New(f.Body.Params[i].Type)
		if strings.Contains(a, "]:") {
			x.F = numbersOf(t, a)
		} else {
			for k := range x.F {
				x.F[k] = c.lo + (c.hi-c.lo)*rnd.Float64()
			}
		}
		args = append(args, x)
	}
	d := interp.New(f.Body.Yield[0].Type)
	for k := range d.F {
		d.F[k] = rnd.NormFloat64()
	}
	g, wrt := vjpFunc(t, f)
	got := exactly(t, g, append(append([]*interp.Tensor(nil), args...), d))
	along := func() float64 { // d · f(args)
		sum := 0.0
		for k, y := range exactly(t, f, args)[0].F {
			sum += y * d.F[k]
		}
		return sum
	}
	for n, i := range wrt {
		for k, x := range args[i].F {
			args[i].F[k] = x + fdStep
			up := along()
			args[i].F[k] = x - fdStep
			down := along()
			args[i].F[k] = x
			want := (up - down) / (2 * fdStep)
			if e := math.Abs(got[n].F[k] - want); !(e <= fdTolerance*max(1, math.Abs(want))) {
				t.Errorf("%s: operand %s[%d]: VJP %g, difference %g", c.line, f.Args[i].Name, k, got[n].F[k], want)
			}
		}
	}
}

func TestVJP(t *testing.T) {
	for _, c := range allGradients() {
		t.Run(c.line, func(t *testing.T) { c.check(t) })
	}
}

// Three equals share the cotangent of a maximum.
func TestTiesShare(t *testing.T) {
	c := opCase{args: []string{"f32[n:4]"}, line: "%y: f32[] = reduce %a [n->] kind=max"}
	f := module(t, c.text(ir.Differentiated)).Funcs[0]
	g, _ := vjpFunc(t, f)
	got := exactly(t, g, []*interp.Tensor{tensor(f.Body.Params[0].Type, 3, 1, 3, 3), tensor(f.Body.Yield[0].Type, 6)})
	same(t, c.line, got[0], 2, 0, 2, 2)
}
