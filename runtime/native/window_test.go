package native_test

import (
	"fmt"
	"testing"

	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
)

// windows writes windows along a dim of up to three, and sums of windows.
func (a *author) windows() *ir.Module {
	d := pick(a, []ir.DType{ir.F32, ir.F32, ir.BF16, ir.I32})
	t := ir.Type{DType: d}
	for i := range 1 + a.IntN(3) {
		t.Dims = append(t.Dims, ir.Dim{Label: string(rune('a' + i)), Size: pick(a, []int{1, 2, 5, 9, 16, 17, 33})})
	}
	w := ir.WindowAttrs{Dim: a.IntN(t.Rank()), Size: 1 + a.IntN(5), Stride: 1 + a.IntN(4), Lo: a.IntN(4)}
	n := t.Dims[w.Dim].Size
	count := max(1, (n+w.Lo+a.IntN(4)-w.Size)/w.Stride)
	w.Hi = (count-1)*w.Stride + w.Size - n - w.Lo
	if d.Float() && a.IntN(2) == 0 {
		w.Fill = "lowest"
	}
	x := a.input(t)
	y := a.b.Window(x, w, "o", "k")
	a.output(y)
	w.Fill = ""
	a.output(a.b.Apply("unwindow", &w, &t, a.input(y.Type)))
	return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{a.f}}
}

func TestRandomWindows(t *testing.T) { randomly(t, 40, (*author).windows) }

// definite are positive definite systems, x·xᵀ + n, of a batch.
const definite = `ir built
func @f(%%x: f32[b:2, p:%[1]d, k:%[1]d] input="x", %%y: f32[b:2, p:%[1]d, c:%[2]d] input="y") -> (f32[b:2, q:%[1]d, c:%[2]d] output="z") {
  %%a: f32[b:2, p:%[1]d, q:%[1]d] = dot %%x, %%x [bpk,bqk->bpq]
  %%i: i32[p:%[1]d, q:%[1]d] = iota dim=0
  %%j: i32[p:%[1]d, q:%[1]d] = iota dim=1
  %%e: bool[p:%[1]d, q:%[1]d] = compare %%i, %%j dir=eq
  %%f: f32[p:%[1]d, q:%[1]d] = cast %%e
  %%n: f32[p:%[1]d, q:%[1]d] = mul %%f, %[1]d
  %%nn: f32[b:2, p:%[1]d, q:%[1]d] = broadcast %%n [pq->bpq]
  %%m: f32[b:2, p:%[1]d, q:%[1]d] = add %%a, %%nn
  %%z: f32[b:2, q:%[1]d, c:%[2]d] = solve %%m, %%y
  yield %%z
}
`

func TestSolve(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 3}, {5, 1}, {16, 16}, {33, 17}, {70, 40}} {
		m := scheduled(t, fmt.Sprintf(definite, size[0], size[1]))
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			eachLevel(t, func(t *testing.T, isa cpu.Level) { compare(t, m, "f", isa, 2, 1e-4) })
			threadsAgree(t, m)
		})
	}
}

// What has no Cholesky factors is solved by NaN, in every element, and leaves others alone.
func TestSolveIndefinite(t *testing.T) {
	const src = `ir built
func @f(%a: f32[b:3, p:3, q:3] input="a", %y: f32[b:3, p:3, c:2] input="y") -> (f32[b:3, q:3, c:2] output="z") {
  %z: f32[b:3, q:3, c:2] = solve %a, %y
  yield %z
}
`
	inputs := map[string][]byte{
		"a": floats(2, 0, 0, 0, 2, 0, 0, 0, 4 /* singular: */, 1, 1, 0, 1, 1, 0, 0, 0, 1 /* negative: */, 1, 0, 0, 0, -1, 0, 0, 0, 1),
		"y": floats(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
	}
	want := []float64{0.5, 0.5, 0.5, 0.5, 0.25, 0.25}
	eachLevel(t, func(t *testing.T, isa cpu.Level) {
		z := call(t, open(t, scheduled(t, src), isa, 2), "f", inputs)[0]
		got, err := interp.FromBytes(z.Type, z.Data)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range got.F {
			if i < len(want) && x != want[i] || i >= len(want) && x == x {
				t.Errorf("element %d is %g", i, x)
			}
		}
	})
}
