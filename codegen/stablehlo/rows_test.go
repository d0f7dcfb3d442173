package stablehlo_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/ir/interp"
)

// line is one statement of the text form over arguments %a, %b, ..; each is a type and its
// elements, "f32[n:2]: 1 2".
type line struct {
	text string
	args []string
}

func with(text string, args ...string) line { return line{text, args} }

// Specials of each dtype.
const (
	floats   = "f32[n:8]: 0 -0 1.5 -2.5 NaN Inf -Inf 0.25"
	others   = "f32[n:8]: 1 2 -3 0 1 -1 0.5 NaN"
	integers = "i32[n:8]: 0 -1 7 -7 -2147483648 2147483647 5 33"
	divisors = "i32[n:8]: 3 0 2 4 -1 0 -3 4"
	naturals = "u32[n:6]: 0 1 4294967295 33 7 256"
	counts   = "u32[n:6]: 0 3 40 31 0 8"
	six      = "f32[a:2, b:3]: 1 2 3 4 5 6"
)

func pointLines() []line {
	var ls []line
	for _, op := range []string{"neg", "abs", "sign", "floor", "exp", "log", "log1p", "sqrt", "rsqrt", "tanh", "erf", "logistic"} {
		ls = append(ls, with("%y: f32[n:8] = "+op+" %a", floats))
	}
	for _, op := range []string{"sin", "cos"} { // infinity has no sine
		ls = append(ls, with("%y: f32[n:3] = "+op+" %a", "f32[n:3]: 0 1.5 NaN"))
	}
	for _, op := range []string{"add", "sub", "mul", "div", "max", "min"} {
		ls = append(ls, with("%y: f32[n:8] = "+op+" %a, %b", floats, others))
	}
	for _, op := range []string{"add", "sub", "mul", "div", "rem", "max", "min", "and", "or", "xor", "shl", "shr"} {
		ls = append(ls, with("%y: i32[n:8] = "+op+" %a, %b", integers, divisors), with("%y: u32[n:6] = "+op+" %a, %b", naturals, counts),
			with("%y: u32[n:6] = "+op+" %a, 40", naturals), with("%y: u8[n:3] = "+op+" %a, %b", "u8[n:3]: 255 200 7", "u8[n:3]: 1 9 0"))
	}
	for _, op := range []string{"neg", "abs", "sign"} {
		ls = append(ls, with("%y: i32[n:8] = "+op+" %a", integers), with("%y: u32[n:6] = "+op+" %a", naturals))
	}
	for _, dir := range []string{"eq", "ne", "lt", "le", "gt", "ge"} {
		ls = append(ls, with("%y: bool[n:8] = compare %a, %b dir="+dir, floats, others), with("%y: bool[n:8] = compare %a, %b dir="+dir, integers, divisors),
			with("%y: bool[n:6] = compare %a, 7 dir="+dir, naturals))
	}
	for _, op := range []string{"and", "or", "xor"} {
		ls = append(ls, with("%y: bool[n:3] = "+op+" %a, %b", "bool[n:3]: 1 1 0", "bool[n:3]: 1 0 0"))
	}
	return append(ls,
		with("%y: bool[n:2] = not %a", "bool[n:2]: 1 0"),
		with("%y: f32[n:3] = rem %a, %b", "f32[n:3]: 7 -7 1", "f32[n:3]: 4 4 0"),
		with("%y: f32[n:4] = pow %a, %b", "f32[n:4]: 2 4 0 -2", "f32[n:4]: 3 0.5 0 3"),
		with("%y: f32[n:3] = select %a, %b, %c", "bool[n:3]: 1 0 1", "f32[n:3]: 1 2 3", "f32[]: 9"),
		with("%y: f32[n:3] = select %a, %b, -Inf", "bool[]: 0", "f32[n:3]: 1 2 3"),
		with("%y: f32[n:3] = sub %b, %a", "f32[n:3]: 1 2 3", "f32[]: 10"))
}

// castLines takes the specials of each dtype to every other.
func castLines() []line {
	from := []string{"f32[n:12]: 2.9 -2.9 3e9 -3e9 2147483647 4.3e9 NaN Inf -Inf 300 -0.5 255.9", "i32[n:5]: -1 300 256 16777217 -2147483648",
		"u32[n:3]: 4294967295 16777219 0", "u8[n:2]: 255 0", "bool[n:2]: 1 0", "bf16[n:4]: 1.0078125 NaN Inf -300", "f16[n:4]: 65504 NaN -Inf 0.5"}
	var ls []line
	for _, a := range from {
		shape := a[strings.IndexByte(a, '['):strings.IndexByte(a, ':')] + a[strings.IndexByte(a, ':'):strings.IndexByte(a, ']')+1]
		for _, to := range []string{"f32", "bf16", "f16", "i32", "u32", "u8", "bool"} {
			if !strings.HasPrefix(a, to+"[") {
				ls = append(ls, with("%y: "+to+shape+" = cast %a", a))
			}
		}
	}
	return ls
}

var shapeLines = []line{
	with("%y: i32[a:2, b:3] = iota dim=1"), with("%y: u32[a:2, b:3] = iota dim=0"),
	with("%y: u32[a:2, b:3] = rng_bits %a, 5 strides=(3, 1)", "u32[k:2]: 17 4294967295"),
	with("%y: u32[b:3, a:2] = rng_bits %a, %b strides=(1, 3)", "u32[k:2]: 1 2", "u32[]: 4294967295"),
	with("%y: u32[a:3, b:2] = rng_bits %a, 1 strides=(3000000000, 1)", "u32[k:2]: 1 2"), // more than 32 bits of positions
	with("%y: u32[a:3, b:2] = rng_bits %a, 1, %b, 1 strides=(2147483647, 1)", "u32[k:2]: 1 2", "u32[]: 5"),
	with("%y: f32[b:3, a:2] = broadcast %a [b->ba]", "f32[b:3]: 1 2 3"), with("%y: f32[a:2] = broadcast 7 [->a]"),
	with("%y: f32[a:2, b:3, c:2] = broadcast %a [ca->abc]", "f32[c:2, a:2]: 1 2 3 4"),
	with("%y: f32[a:2, b:2] = broadcast %a [a->aa]", "f32[a:2]: 1 2"),
	with("%y: f32[n:6] = rearrange %a [ab->(ba)]", six), with("%y: f32[b:3, a:2] = rearrange %a [(ab)->ba]", "f32[n:6]: 1 2 3 4 5 6"),
	with("%y: f32[a:1, n:2, b:1] = rearrange %a [n->()n()]", "f32[n:2]: 1 2"),
	with("%y: f32[p:3, n:4, c:1] = rearrange %a [b(yp)->p(yb)()]", "f32[b:2, n:6]: 1 2 3 4 5 6 7 8 9 10 11 12"),
	with("%y: f32[b:3] = reduce %a [ab->b] kind=sum", six), with("%y: f32[b:3, a:2] = reduce %a [ab->ba] kind=sum", six),
	with("%y: f32[a:2] = reduce %a [ab->a] kind=min", "f32[a:2, b:3]: 1 NaN 3 4 -5 6"),
	with("%y: f32[a:2] = reduce %a [ab->a] kind=max", "f32[a:2, b:2]: NaN 1 -Inf -Inf"),
	with("%y: f32[] = reduce %a [aa->] kind=sum", "f32[a:2, b:2]: 1 2 3 4"),
	with("%y: u32[] = reduce %a [n->] kind=sum", "u32[n:3]: 4294967295 2 4294967295"),
	with("%y: i32[] = reduce %a [n->] kind=max", "i32[n:3]: -4 -2 -9"), with("%y: u8[] = reduce %a [n->] kind=min", "u8[n:3]: 40 20 90"),
	with("%y: bf16[] = reduce %a [n->] kind=sum", "bf16[n:4]: 256 1 1 1"),
	with("%y: f32[c:2, a:2] = dot %a, %b [ab,bc->ca]", six, "f32[b:3, c:2]: 1 0 0 1 1 1"),
	with("%y: f32[a:2] = dot %a, %b [ab,ab->a]", six, six), with("%y: f32[n:2, m:2] = dot %a, %b [n,m->nm]", "f32[n:2]: 1 2", "f32[m:2]: 3 4"),
	with("%y: f32[b:3, a:2] = dot %a, %b [ab,a->ba]", six, "f32[a:2]: 2 3"), with("%y: f32[] = dot %a, %b [n,n->]", "f32[n:3]: 0 1 2", "f32[n:3]: NaN 1 1"),
	with("%y: bf16[a:2] = dot %a, %b [ab,b->a]", "bf16[a:2, b:3]: 256 1 1 1 2 3", "bf16[b:3]: 1 1 1"),
	with("%y: f32[a:2, c:2] = dot %a, %b [aa,ac->ac]", "f32[a:2, b:2]: 1 2 3 4", "f32[a:2, c:2]: 1 2 3 4"),
	with("%y: f32[a:2, b:2] = slice %a dim=1 from=1 to=3", six), with("%y: f32[a:2, b:6] = pad %a dim=1 lo=1 hi=2", six),
	with("%y: f32[a:2, b:3] = roll %a dim=1 by=-4", six), with("%y: f32[a:2, b:3] = roll %a dim=1 by=3", six),
	with("%y: f32[a:2, b:4] = concat %a, %b dim=1", six, "f32[a:2, b:1]: 7 8"),
	with("%y: i32[a:2] = argmax %a dim=1", "f32[a:2, b:3]: 1 5 5 NaN 9 NaN"), with("%y: i32[b:2] = argmax %a dim=0", "f32[a:3, b:2]: 1 5 2 NaN 2 7"),
	with("%y: i32[] = argmax %a dim=0", "i32[n:4]: -3 8 8 1"), with("%y: i32[a:1] = argmax %a dim=1", "f32[a:1, b:2]: -Inf -Inf"),
	with("%y: f32[n:4, b:3] = gather %a, %b [ab,n->nb]", six, "i32[n:4]: 1 0 -1 2"), with("%y: f32[a:2] = gather %a, %b [ab,a->a]", six, "i32[a:2]: 2 0"),
	with("%y: f32[b:3, n:2] = gather %a, %b [ab,n->bn]", six, "u32[n:2]: 1 4294967295"), with("%y: f32[b:3] = gather %a, %b [ab,->b]", six, "u32[]: 1"),
	with("%y: f32[v:3] = scatter_add %a, %b [n,n->v]", "i32[n:4]: 1 1 -1 5", "f32[n:4]: 1 2 3 4"),
	with("%y: f32[b:3, v:2] = scatter_add %a, %b [n,bn->bv]", "u32[n:2]: 1 4294967295", "f32[b:3, n:2]: 1 2 3 4 5 6"),
	with("%y: f32[b:2, v:3] = scatter_add %a, %b [bn,bn->bv]", "i32[b:2, n:2]: 1 1 9 0", "f32[b:2, n:2]: 1 2 3 4"),
	with("%y: u8[v:1] = scatter_add %a, %b [n,n->v]", "i32[n:2]: 0 0", "u8[n:2]: 200 100"),
	with("%y: bf16[v:1] = scatter_add %a, %b [n,n->v]", "i32[n:3]: 0 0 0", "bf16[n:3]: 256 1 1"),
	with("%y: f32[o:3, k:3] = window %a dim=0 size=3 stride=1 lo=1 hi=1", "f32[n:3]: 1 2 3"),
	with("%y: f32[o:2, k:2] = window %a dim=0 size=2 stride=2 lo=1 hi=0 fill=lowest", "f32[n:3]: 1 2 3"),
	with("%y: f32[a:2, o:1, k:2] = window %a dim=1 size=2 stride=2 lo=0 hi=-1", six),
	with("%y: f32[o:2, k:3, b:2] = window %a dim=0 size=3 stride=1 lo=0 hi=1", "f32[a:3, b:2]: 1 2 3 4 5 6"),
	with("%y: f32[o:3, k:2] = window %a dim=0 size=2 stride=3 lo=1 hi=0", "f32[n:7]: 1 2 3 4 5 6 7"),
	with("%y: f32[n:3] = unwindow %a dim=0 size=3 stride=1 lo=1 hi=1", "f32[o:3, k:3]: 1 2 3 4 5 6 7 8 9"),
	with("%y: f32[n:6, b:2] = unwindow %a dim=0 size=2 stride=3 lo=0 hi=-1", "f32[o:2, k:2, b:2]: 1 2 3 4 5 6 7 8"),
	with("%y: u8[n:3] = unwindow %a dim=0 size=2 stride=1 lo=0 hi=0", "u8[o:2, k:2]: 9 200 100 1"),
	with("%y: f32[q:2, c:1] = solve %a, %b", "f32[p:2, q:2]: 4 2 2 5", "f32[p:2, c:1]: 8 20"),
	with("%y: f32[q:2, c:2] = solve %a, %b", "f32[p:2, q:2]: 4 4 0 5", "f32[p:2, c:2]: 4 8 2 20"),
	with("%y: f32[b:4, q:1, c:1] = solve %a, %b", "f32[b:4, p:1, q:1]: 4 0 -1 NaN", "f32[b:4, p:1, c:1]: 8 1 1 1"),
	with("%y: f32[q:2, c:1] = solve %a, %b", "f32[p:2, q:2]: 1 2 2 1", "f32[p:2, c:1]: 1 1"), // indefinite
	with(`%y: f32[n:3] = fence %a why="w"`, "f32[n:3]: 1 2 3"),
	with(`%y: f32[n:3], %z: f32[] = fence %a, %b why="w"`, "f32[n:3]: 1 2 3", "f32[]: 4"),
	with("%y: f32[n:3], %z: f32[n:3] = fusion kind=loop in(%p=%a) {\n%u: f32[n:3] = add %p, 1\n%v: f32[n:3] = mul %u, %p\nyield %u, %v }", "f32[n:3]: 1 2 3"),
	with("%y: f32[n:3] = reshard %a", "f32[n:3]: 1 2 3"),
	with("%y: f32[], %z: f32[t:3] = scan length=3 carry(%c=%a) each(%e=%b) const(%k=%d) {\n"+digits, "f32[]: 1", "f32[t:3]: 2 3 4", "f32[]: 0", "f32[]: 10"),
	with("%y: f32[], %z: f32[t:3] = scan length=3 reverse carry(%c=%a) each(%e=%b) const(%k=%d) {\n"+digits, "f32[]: 1", "f32[t:3]: 2 3 4", "f32[]: 0", "f32[]: 10"),
	with("%z: f32[t:2] = scan length=2 each(%e=%a) {\n%s: f32[] = reduce %e [b->] kind=sum\nyield stack(%s) }", six),
	with("%y: f32[], %z: f32[] = scan length=3 carry(%p=%a, %q=%b) {\nyield %q, %p }", "f32[]: 2", "f32[]: 3"),
}

// digits reads digits: 10·carry + each.
const digits = "%m: f32[] = mul %c, %k\n%n: f32[] = add %m, %e\nyield %n stack(%n) }"

var resultType = regexp.MustCompile(`%(\w+): (\w+\[[^\]]*\])`)

// function is a function of the arguments that computes the line.
func (l line) function(t fataler) (*ir.Func, []*interp.Tensor) {
	t.Helper()
	var args, types, yields []string
	for i, a := range l.args {
		ty, _, _ := strings.Cut(a, "]")
		args = append(args, fmt.Sprintf("%%%c: %s] input=%q", 'a'+i, ty, string(rune('a'+i))))
	}
	head, _, _ := strings.Cut(l.text, " = ")
	for _, m := range resultType.FindAllStringSubmatch(head, -1) {
		yields, types = append(yields, "%"+m[1]), append(types, fmt.Sprintf("%s output=%q", m[2], m[1]))
	}
	m := parsed(t, fmt.Sprintf("ir differentiated\nfunc @f(%s) -> (%s) {\n%s\nyield %s }",
		strings.Join(args, ", "), strings.Join(types, ", "), l.text, strings.Join(yields, ", ")))
	if err := ir.Verify(m); err != nil {
		t.Fatal(err)
	}
	f := m.Funcs[0]
	in := make([]*interp.Tensor, len(l.args))
	for i, a := range l.args {
		_, numbers, _ := strings.Cut(a, "]:")
		in[i] = interp.New(f.Body.Params[i].Type)
		for k, w := range strings.Fields(numbers) {
			x, err := strconv.ParseFloat(w, 64)
			if err != nil {
				t.Fatal(err)
			}
			in[i].F[k] = in[i].Type.DType.Round(x)
		}
	}
	return f, in
}

func allLines() []line { return append(append(pointLines(), castLines()...), shapeLines...) }

// Every row gives what the interpreter gives, to a few roundings of f32, for the values that
// targets like to differ on as well.
func TestRows(t *testing.T) {
	c := xla(t)
	for _, l := range allLines() {
		f, args := l.function(t)
		got, err := alone(c, f, args)
		if err != nil {
			t.Errorf("%s: %v", l.text, err)
			continue
		}
		if d := far(interpreted(t, f, args), got, 1e-6); d != "" {
			text, _ := stablehlo.Emit(f, stablehlo.Options{})
			t.Errorf("%v\n%s\n%s\n%s", l.args, l.text, d, text)
		}
	}
}

// TestEveryRow fails when a row is added without a case.
func TestEveryRow(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range allLines() {
		f, _ := l.function(t)
		f.Body.Walk(func(op *ir.Op) { seen[op.Row.Name] = true })
	}
	for _, r := range ir.Rows() {
		if removed := r.Name == "grad" || r.Name == "stop"; !removed && !seen[r.Name] && r.Class != ir.Collective { // TestCollectives
			t.Errorf("row %s has no case", r.Name)
		}
	}
}
