package dist_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/ir/interp"
	"vitc/runtime/dist"
)

// each runs a function on every rank of a group in memory, and gives their errors. A rank that
// fails aborts.
func each(n int, f func(t dist.Transport) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for _, t := range dist.Memory(n) {
		wg.Go(func() {
			if err := f(t); err != nil {
				errs[t.Rank()] = err
				t.Abort(err)
			}
		})
	}
	wg.Wait()
	return errs
}

// sample is a collective drawn at random, as a function of one op.
type sample struct {
	mesh ir.Mesh
	f    *ir.Func
	text string
	args [][]*interp.Tensor
}

var dtypes = []ir.DType{ir.F32, ir.BF16, ir.F16, ir.I32, ir.U32, ir.U8, ir.Bool}

func drawSample(t *rapid.T) sample {
	var s sample
	for i := range rapid.IntRange(1, 3).Draw(t, "axes") {
		s.mesh = append(s.mesh, ir.MeshAxis{Name: string(rune('x' + i)), Size: rapid.SampledFrom([]int{1, 2, 3, 4}[:4-i]).Draw(t, "size")})
	}
	var over, vary []string
	for _, i := range rapid.Permutation([]int{0, 1, 2}[:len(s.mesh)]).Draw(t, "order") {
		over = append(over, s.mesh[i].Name)
	}
	over = over[:rapid.IntRange(1, len(over)).Draw(t, "over")]
	for _, a := range s.mesh {
		vary = append(vary, "?"+a.Name)
	}
	op := drawOp(t, s.mesh.Size(over...))
	d := rapid.SampledFrom(dtypes).Draw(t, "dtype")
	shard := "{" + strings.Join(vary, ", ") + "}"
	text := "ir partitioned mesh("
	for i, a := range s.mesh {
		text += []string{"", ", "}[min(i, 1)] + fmt.Sprintf("%s:%d", a.Name, a.Size)
	}
	text += ")\nfunc @f("
	var names []string
	for i, in := range op.in {
		name := fmt.Sprintf("%%v%d", i)
		names = append(names, name)
		text += []string{"", ", "}[min(i, 1)] + fmt.Sprintf("%s: %s%s input=\"v%d\"", name, typeOf(d, in), shard, i)
	}
	out := typeOf(d, op.out)
	if op.name == "axis_index" {
		out = ir.T(ir.I32)
	}
	text += fmt.Sprintf(") -> (%s%s output=\"y\") {\n%%y: %s%s = %s %s over=(%s) %s\nyield %%y }", out, shard, out, shard, op.name, strings.Join(names, ", "), strings.Join(over, ", "), op.attrs)
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	s.f, s.text = m.Funcs[0], text
	for range s.mesh.Devices() {
		var args []*interp.Tensor
		for _, p := range s.f.Body.Params {
			args = append(args, drawTensor(t, p.Type))
		}
		s.args = append(s.args, args)
	}
	return s
}

type drawnOp struct {
	name, attrs string
	in          [][]int
	out         []int
}

// drawOp draws an op for a group of n.
func drawOp(t *rapid.T, n int) drawnOp {
	dims := rapid.SliceOfN(rapid.IntRange(1, 5), 2, 4).Draw(t, "dims")
	if rapid.Bool().Draw(t, "large") {
		dims[0] *= 97
	}
	dim := rapid.IntRange(0, len(dims)-1).Draw(t, "dim")
	step := rapid.IntRange(-5, 5).Draw(t, "step")
	at := fmt.Sprintf("dim=%d", dim)
	switch name := rapid.SampledFrom([]string{"axis_index", "block", "put", "all_gather", "reduce_scatter", "all_reduce", "all_to_all", "permute"}).Draw(t, "op"); name {
	case "axis_index":
		return drawnOp{name, "", nil, nil}
	case "block":
		return drawnOp{name, fmt.Sprintf("%s step=%d", at, step), [][]int{times(dims, dim, n)}, dims}
	case "put":
		return drawnOp{name, fmt.Sprintf("%s step=%d", at, step), [][]int{times(dims, dim, n), dims}, times(dims, dim, n)}
	case "all_gather":
		return drawnOp{name, at, [][]int{dims}, times(dims, dim, n)}
	case "reduce_scatter":
		return drawnOp{name, at, [][]int{times(dims, dim, n)}, dims}
	case "all_reduce":
		return drawnOp{name, "kind=" + rapid.SampledFrom([]string{"sum", "max", "min"}).Draw(t, "kind"), [][]int{dims}, dims}
	case "permute":
		return drawnOp{name, fmt.Sprintf("step=%d", step), [][]int{dims}, dims}
	default:
		to := (dim + rapid.IntRange(1, len(dims)-1).Draw(t, "to")) % len(dims)
		return drawnOp{name, fmt.Sprintf("%s to=%d", at, to), [][]int{times(dims, to, n)}, times(dims, dim, n)}
	}
}

func times(dims []int, dim, n int) []int {
	dims = slices.Clone(dims)
	dims[dim] *= n
	return dims
}

func typeOf(d ir.DType, sizes []int) ir.Type {
	t := ir.T(d)
	for i, n := range sizes {
		t.Dims = append(t.Dims, ir.Dim{Label: string(rune('a' + i)), Size: n})
	}
	return t
}

// drawTensor fills a tensor from a drawn seed: drawing every element would be slow.
func drawTensor(t *rapid.T, ty ir.Type) *interp.Tensor {
	state := rapid.Uint64().Draw(t, "values")
	x := interp.New(ty)
	for i := range x.F {
		state = state*6364136223846793005 + 1442695040888963407
		x.F[i] = ty.DType.Round(float64(int64(state>>20)) * 0x1p-30)
		if ty.DType.Float() && state>>58 == 0 {
			x.F[i] = []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(0, -1)}[state>>20&3]
		}
	}
	return x
}

// Every collective gives the bits that the interpreter gives, twice in a row, for random types,
// meshes and axes.
func TestCollectivesAsInterpreted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSample(t)
		want, err := interp.RunMesh(s.mesh, s.f, s.args, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		spec := dist.SpecOf(s.f.Body.Ops[0])
		errs := each(s.mesh.Devices(), func(tr dist.Transport) error {
			c, err := dist.New(s.mesh, tr)
			if err != nil {
				return err
			}
			k, err := c.Prepare(spec)
			if err != nil {
				return err
			}
			for range 2 {
				var in [][]byte
				for _, x := range s.args[tr.Rank()] {
					in = append(in, x.Bytes())
				}
				out := make([]byte, spec.Out.Bytes())
				if spec.Row == "all_reduce" && s.mesh[0].Size%2 == 1 {
					out = in[0] // in place
				}
				if err := k.Run(context.Background(), in, out); err != nil {
					return err
				}
				if got := want[tr.Rank()][0].Bytes(); !slices.Equal(got, out) {
					return fmt.Errorf("device %d of %v: %s gives %v\nwant %v", tr.Rank(), s.mesh, s.text, out, got)
				}
			}
			return nil
		})
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A rank that gives up wakes those that wait, with its number and reason, and so does one that
// gives up before the others come.
func TestAbort(t *testing.T) {
	gone := errors.New("the disk is full")
	for _, first := range []bool{true, false} {
		errs := each(4, func(tr dist.Transport) error {
			if tr.Rank() == 2 {
				if !first {
					time.Sleep(20 * time.Millisecond)
				}
				return gone
			}
			if first {
				time.Sleep(20 * time.Millisecond)
			}
			// Ranks 0, 1 and 3 wait for each other and for 2.
			var sends, recvs []dist.Message
			for p := range 4 {
				sends = append(sends, dist.Message{Peer: p, Data: make([]byte, 1<<16)})
				recvs = append(recvs, dist.Message{Peer: p, Data: make([]byte, 1<<16)})
			}
			return tr.Exchange(context.Background(), sends, recvs)
		})
		for r, err := range errs {
			var abort *dist.AbortError
			if !errors.Is(err, gone) || r != 2 && (!errors.As(err, &abort) || abort.Rank != 2) {
				t.Errorf("rank %d: %v", r, err)
			}
		}
	}
}

// A context that ends frees its rank, and what it had posted meets nobody later.
func TestContextEnds(t *testing.T) {
	ends := dist.Memory(2)
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	stale := []byte{1}
	if err := ends[0].Exchange(ctx, []dist.Message{{Peer: 1, Data: stale}}, nil); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	got := make([]byte, 1)
	done := make(chan error)
	go func() { done <- ends[1].Exchange(context.Background(), nil, []dist.Message{{Peer: 0, Data: got}}) }()
	if err := ends[0].Exchange(context.Background(), []dist.Message{{Peer: 1, Data: []byte{2}}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || got[0] != 2 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Messages of two tags pass each other; those of one keep their order.
func TestTags(t *testing.T) {
	errs := each(2, func(tr dist.Transport) error {
		if tr.Rank() == 0 {
			var sends []dist.Message
			for i := range 4 {
				sends = append(sends, dist.Message{Peer: 1, Tag: i % 2, Data: []byte{byte(i)}})
			}
			return tr.Exchange(context.Background(), sends, nil)
		}
		var got []byte
		for _, tag := range []int{1, 1, 0, 0} {
			b := make([]byte, 1)
			if err := tr.Exchange(context.Background(), nil, []dist.Message{{Peer: 0, Tag: tag, Data: b}}); err != nil {
				return err
			}
			got = append(got, b...)
		}
		if !slices.Equal(got, []byte{1, 3, 0, 2}) {
			return fmt.Errorf("received %v", got)
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// What cannot be is refused before anything is sent.
func TestRefused(t *testing.T) {
	if errs := each(2, func(tr dist.Transport) error {
		return tr.Exchange(context.Background(), []dist.Message{{Peer: 1 - tr.Rank(), Data: make([]byte, 3-tr.Rank())}},
			[]dist.Message{{Peer: 1 - tr.Rank(), Data: make([]byte, 3-tr.Rank())}})
	}); errs[0] == nil || !strings.Contains(errs[0].Error(), "meets a buffer of") {
		t.Errorf("sizes: %v", errs)
	}
	one := dist.Memory(1)[0]
	if err := one.Exchange(context.Background(), []dist.Message{{Peer: 1}}, nil); err == nil {
		t.Error("a message for nobody is sent")
	}
	mesh := ir.Mesh{{Name: "x", Size: 2}}
	if _, err := dist.New(mesh, one); err == nil {
		t.Error("a mesh of two devices has one rank")
	}
	c, err := dist.New(mesh, dist.Memory(2)[0])
	if err != nil {
		t.Fatal(err)
	}
	f := func(sizes ...int) ir.Type { return typeOf(ir.F32, sizes) }
	for want, s := range map[string]dist.Spec{
		"no collective":       {Row: "reshard"},
		"no such axis":        {Row: "axis_index", Attrs: &ir.AxisAttrs{Over: []string{"y"}}, Out: ir.T(ir.I32)},
		"gives i32[]":         {Row: "axis_index", Attrs: &ir.AxisAttrs{Over: []string{"x"}}, Out: f()},
		"takes 1 operands":    {Row: "all_reduce", Attrs: &ir.ReduceOverAttrs{Over: []string{"x"}}, Out: f(2)},
		"no kind":             {Row: "all_reduce", Attrs: &ir.ReduceOverAttrs{Over: []string{"x"}, Kind: "mean"}, In: []ir.Type{f(2)}, Out: f(2)},
		"gives no":            {Row: "permute", Attrs: &ir.PermuteAttrs{Over: []string{"x"}}, In: []ir.Type{f(2)}, Out: f(3)},
		"is no block of":      {Row: "all_gather", Attrs: &ir.GatherAttrs{Over: []string{"x"}}, In: []ir.Type{f(2)}, Out: f(3)},
		"along dim 1":         {Row: "reduce_scatter", Attrs: &ir.GatherAttrs{Over: []string{"x"}, Dim: 1}, In: []ir.Type{f(2)}, Out: f(1)},
		"from dim 0 to 0":     {Row: "all_to_all", Attrs: &ir.ExchangeAttrs{Over: []string{"x"}}, In: []ir.Type{f(2, 2)}, Out: f(2, 2)},
		"has attributes *ir.": {Row: "all_to_all", Attrs: &ir.GatherAttrs{Over: []string{"x"}}, In: []ir.Type{f(2, 2)}, Out: f(2, 2)},
	} {
		if _, err := c.Prepare(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	k, err := c.Prepare(dist.Spec{Row: "permute", Attrs: &ir.PermuteAttrs{Over: []string{"x"}}, In: []ir.Type{f(2)}, Out: f(2)})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][][]byte{{}, {make([]byte, 7)}} {
		if err := k.Run(context.Background(), bad, make([]byte, 8)); err == nil {
			t.Errorf("%d operands are taken", len(bad))
		}
	}
}
