package ir_test

import (
	"fmt"
	"strings"
	"testing"

	"vitc/ir"
)

// What each row refuses, over %x: f32[a:4, b:6], %i: i32[a:4], %u: u8[a:4], %c: bool[a:4, b:6],
// %s: f32[], %k: u32[k:2].
func TestRowsRefuse(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"f32[a:4, b:6] = exp %x, %x", "exp takes 1 operands, found 2"},
		{"f32[a:4, b:6] = add %x, %i", "operands f32[a:4, b:6] and i32[a:4] differ"},
		{"f32[a:4, b:6] = add %x, %c", "add of f32 and bool"},
		{"i32[a:4] = exp %i", "exp does not take i32"},
		{"f32[a:4, b:6] = xor %x, %x", "xor does not take f32"},
		{"bool[a:4, b:6] = neg %c", "neg does not take bool"},
		{"bool[a:4, b:6] = compare %x, %x dir=above", `compare has no dir "above"`},
		{"f32[a:4, b:6] = compare %x, %x dir=lt", "compare gives bool[a:4, b:6]"},
		{"f32[a:4, b:6] = select %x, %x, %x", "select of f32, f32 and f32"},
		{"i32[a:5] = iota dim=1", "iota has no dim 1"},
		{"f32[a:5] = iota dim=0", "iota needs an i32 or u32 type"},
		{"u32[a:4, b:6] = rng_bits %k, 0 strides=(1)", "1 strides for u32[a:4, b:6]"},
		{"u32[a:4] = rng_bits %i, 0 strides=(1)", "wants a key of u32[2]"},
		{"f32[a:4] = rng_bits %k, 0 strides=(1)", "needs a u32 type"},
		{"f32[a:4, c:6] = dot %x, %x [ab,ac->ac]", "factor b is in one term only"},
		{"f32[a:4] = dot %x, %i [ab,a->a]", "dot of f32 and i32"},
		{"f32[a:4, b:6] = dot %x, %s [ab->ab]", "for 1 operands, found 2"},
		{"f32[c:2, d:2, b:6] = dot %x, %s [(cd)b,->cdb]", "one factor a dim"},
		{"f32[a:4] = reduce %x [ab->a] kind=mean", `reduce has no kind "mean"`},
		{"bool[a:4] = reduce %c [ab->a] kind=max", "reduce does not take bool"},
		{"f32[a:4, c:5] = broadcast %x [ab->ac]", "broadcast [ab->ac] drops b"},
		{"f32[a:4] = rearrange %x [ab->a]", "b is on one side only"},
		{"f32[a:4, c:4, d:2] = rearrange %x [a(cd)->acd]", "a dim of 6 does not split into factors of 8"},
		{"f32[a:4, b:3] = slice %x dim=1 from=4 to=7", "slice 4..7 of a dim of 6"},
		{"f32[a:4, b:3] = slice %x dim=2 from=0 to=3", "slice has no dim 2 in f32[a:4, b:6]"},
		{"f32[a:4, b:5] = pad %x dim=1 lo=-1 hi=0", "pad by -1 and 0"},
		{"f32[a:4, b:12] = concat %x, %c dim=1", "concat of f32[a:4, b:6] and bool[a:4, b:6]"},
		{"i32[a:4] = argmax %x dim=-1", "argmax has no dim -1"},
		{"f32[a:4, b:6] = gather %x, %u [vb,a->ab]", "gather wants integer ids, found u8[a:4]"},
		{"f32[a:4, b:6] = gather %x, %i [ab,a->ab]", "gather [ab,a->ab] looks up no factor"},
		{"f32[a:4] = gather %x, %i [vw,a->a]", "gather [vw,a->a] looks up two factors"},
		{"f32[v:3] = scatter_add %s, %x [,ab->v]", "scatter_add wants integer ids, found f32[]"},
		{"f32[o:3, k:2, b:6] = window %x dim=0 size=2 stride=2 lo=0 hi=1", "windows of 2, 2 apart, do not fill a dim of 4 with 0 before and 1 after"},
		{"f32[o:1, k:7, b:6] = window %x dim=0 size=7 stride=1 lo=1 hi=1", "windows of 7, 1 apart, do not fill a dim of 4"},
		{"f32[o:4, k:1, b:6] = window %x dim=0 size=0 stride=1 lo=0 hi=0", "windows of size 0, 1 apart"},
		{"f32[o:4, k:1, b:6] = window %x dim=2 size=1 stride=1 lo=0 hi=0", "windows along dim 2 of 2"},
		{"f32[o:4, k:1, b:6] = window %x dim=0 size=1 stride=1 lo=0 hi=0 fill=one", `window has no fill "one"`},
		{"i32[o:4, k:1] = window %i dim=0 size=1 stride=1 lo=0 hi=0 fill=lowest", "window fill=lowest of i32"},
		{"f32[a:9] = unwindow %x dim=0 size=5 stride=1 lo=0 hi=0", "unwindow of windows of 5, found 6"},
		{"f32[a:9] = unwindow %x dim=1 size=6 stride=1 lo=0 hi=0", "windows along dim 1 of 2"},
		{"f32[a:9] = unwindow %x dim=0 size=6 stride=1 lo=4 hi=5", "unwindow to a dim of 0"},
		{"bool[a:9] = unwindow %c dim=0 size=6 stride=1 lo=0 hi=0", "unwindow does not take bool"},
		{"f32[a:4, b:6] = solve %x, %x", "wants [.., n, n] and [.., n, c]"},
		{"f32[a:4, b:6] = solve %i, %x", "solve of i32 and f32"},
		{"f32[a:4, b:6] = grad %x, %x", "grad wants a scalar loss first"},
	} {
		src := fmt.Sprintf(`ir built
func @f(%%x: f32[a:4, b:6] input="x", %%i: i32[a:4] input="i", %%u: u8[a:4] input="u", %%c: bool[a:4, b:6] input="c",
    %%s: f32[] input="s", %%k: u32[k:2] input="k") -> () {
  %%y: %s
  yield
}`, c.line)
		if _, err := ir.Parse(src); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.line, err, c.want)
		}
	}
}

func TestCastOfLiterals(t *testing.T) {
	b := &ir.Builder{Region: &ir.Region{}}
	for _, c := range []struct {
		x        float64
		from, to ir.DType
		want     float64
	}{
		{300, ir.F32, ir.U8, 255}, {300, ir.I32, ir.U8, 44}, {-2.7, ir.F32, ir.I32, -2}, {-1, ir.I32, ir.U32, 1<<32 - 1},
		{0.1, ir.F32, ir.BF16, 0.10009765625}, {2, ir.I32, ir.Bool, 1},
	} {
		if y := b.Cast(ir.Literal(c.from, c.x), c.to); !y.Is(c.want) || y.Type.DType != c.to {
			t.Errorf("cast of %g from %s to %s is %g, want %g", c.x, c.from, c.to, *y.Lit, c.want)
		}
	}
}
