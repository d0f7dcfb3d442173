package predict

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/ir"
	"vitc/runtime/data"
	"vitc/runtime/safetensors"
)

// sums is a machine whose functions add up each example's bytes, and count themselves.
type sums struct{ calls []string }

func (m *sums) Call(_ context.Context, fn string, in map[string][]byte) ([]codegen.Result, error) {
	m.calls = append(m.calls, fn)
	n := len(in["image"]) / exampleBytes
	var out []byte
	for i := range n {
		sum := 0
		for _, x := range in["image"][i*exampleBytes : (i+1)*exampleBytes] {
			sum += int(x)
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(sum)))
	}
	return []codegen.Result{{Name: "sum", Type: ir.T(ir.F32, ir.Dim{Label: "batch", Size: n}), Data: out}}, nil
}

func (m *sums) Leaf(string) ([]byte, error)  { return nil, nil }
func (m *sums) SetLeaf(string, []byte) error { return nil }
func (m *sums) Close() error                 { return nil }

const exampleBytes = 4

// program predicts the sum of 2 x 2 pixels, in the batches given.
func program(sizes ...int) (*ir.Program, *ir.Predict) {
	p := &ir.Program{Module: &ir.Module{Phase: ir.Differentiated}}
	pixels := []ir.Dim{{Label: "row", Size: 2}, {Label: "col", Size: 2}}
	q := ir.Predict{Name: "e", Batch: sizes[0], Funcs: map[int]string{}, Data: ir.Data{Name: "d", Fields: []ir.Field{{Name: "image", Type: ir.T(ir.U8, pixels...)}}}}
	for _, n := range sizes {
		batch := ir.Dim{Label: "batch", Size: n}
		q.Funcs[n] = fmt.Sprintf("b%d", n)
		in := &ir.Value{Type: ir.T(ir.U8, append([]ir.Dim{batch}, pixels...)...)}
		out := &ir.Value{Type: ir.T(ir.F32, batch)}
		p.Module.Funcs = append(p.Module.Funcs, &ir.Func{Name: q.Funcs[n], Args: []ir.Port{{Role: ir.RoleInput, Name: "image"}},
			Results: []ir.Port{{Role: ir.RoleOutput, Name: "sum"}}, Body: &ir.Region{Params: []*ir.Value{in}, Yield: []*ir.Value{out}}})
	}
	p.Predicts = []ir.Predict{q}
	return p, &p.Predicts[0]
}

func openProgram(t *testing.T, sizes ...int) *Predictor {
	t.Helper()
	r, err := Open(program(sizes...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// examples are inputs of which the i-th sums up to i.
func examples(n int) []Input {
	list := make([]Input, n)
	for i := range list {
		list[i] = Input{Name: fmt.Sprint(i), example: []byte{byte(i), 0, 0, 0}}
	}
	return list
}

// TestBatches: whatever the sizes compiled, each input has its own row, in order.
func TestBatches(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		n     int
		calls string
	}{
		{[]int{4, 1}, 9, "b4 b4 b1"},
		{[]int{4, 1}, 7, "b4 b4"}, // the last is filled up
		{[]int{16, 1}, 3, "b1 b1 b1"},
		{[]int{16, 1}, 5, "b16"},
		{[]int{8}, 1, "b8"},
		{[]int{1}, 2, "b1 b1"},
	} {
		r, m := openProgram(t, c.sizes...), &sums{}
		next := 0
		failed, err := r.Run(context.Background(), m, examples(c.n), func(row Row) error {
			if got := Floats(row.Outputs[0]); row.Name != fmt.Sprint(next) || len(got) != 1 || got[0] != float64(next) {
				t.Errorf("row %d is %s: %v", next, row.Name, got)
			}
			next++
			return nil
		})
		if err != nil || len(failed) > 0 || next != c.n {
			t.Errorf("%v: %d rows, failed %v, error %v", c.sizes, next, failed, err)
		}
		if got := strings.Join(m.calls, " "); got != c.calls {
			t.Errorf("%d of %v: called %s, want %s", c.n, c.sizes, got, c.calls)
		}
		trimmed := openProgram(t, c.sizes...)
		trimmed.Trim(c.n)
		for _, f := range trimmed.p.Module.Funcs {
			if !slices.Contains(m.calls, f.Name) {
				t.Errorf("%d of %v: %s is compiled for nothing", c.n, c.sizes, f.Name)
			}
		}
		for _, name := range m.calls {
			if trimmed.p.Module.Func(name) == nil {
				t.Errorf("%d of %v: %s is missing", c.n, c.sizes, name)
			}
		}
	}
}

// TestUnreadable: a picture that cannot be read is left out, and named.
func TestUnreadable(t *testing.T) {
	inputs := examples(3)
	inputs[1] = Input{Name: "absent.png", file: "absent.png"}
	var names []string
	failed, err := openProgram(t, 4, 1).Run(context.Background(), &sums{}, inputs, func(r Row) error {
		names = append(names, r.Name)
		return nil
	})
	if err != nil || len(failed) != 1 || failed[0].Pos.File != "absent.png" || strings.Join(names, " ") != "0 2" {
		t.Errorf("rows %v, failed %v, error %v", names, failed, err)
	}
}

// TestCancelled: an interrupt ends the run between batches.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := &sums{}
	_, err := openProgram(t, 2).Run(ctx, m, examples(6), func(Row) error { cancel(); return nil })
	if err == nil || len(m.calls) != 1 {
		t.Errorf("%d calls, error %v", len(m.calls), err)
	}
}

func TestTensorInputs(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, list ...safetensors.Tensor) string {
		path := filepath.Join(dir, name+".safetensors")
		if err := safetensors.WriteFile(path, nil, list); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tensor := func(name string, d safetensors.DType, shape ...int) safetensors.Tensor {
		n := d.Size()
		for _, s := range shape {
			n *= s
		}
		return safetensors.Tensor{Name: name, DType: d, Shape: shape, Data: bytes.Repeat([]byte{7}, n)}
	}
	r := openProgram(t, 4)
	many := write("many", tensor("image", safetensors.U8, 3, 2, 2), tensor("label", safetensors.I32, 3))
	single := write("single", tensor("whatever", safetensors.U8, 2, 2))
	numpy := filepath.Join(dir, "pixels.npy")
	header := "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 2), }"
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	if err := os.WriteFile(numpy, []byte("\x93NUMPY\x01\x00\x76\x00"+header+"\x01\x02\x03\x04"), 0o666); err != nil {
		t.Fatal(err)
	}
	list, err := r.Find([]string{many, single, numpy})
	if err != nil || len(list) != 5 || !bytes.Equal(list[4].example, []byte{1, 2, 3, 4}) || list[2].Name != many+"[2]" || list[3].Name != single || !bytes.Equal(list[2].example, []byte{7, 7, 7, 7}) {
		t.Errorf("inputs %v, error %v", list, err)
	}
	for path, want := range map[string]string{
		write("floats", tensor("image", safetensors.F32, 2, 2)):                      "does not fit the program: expected image: u8[row:2, col:2], or several of them, found F32[2 2]",
		write("large", tensor("image", safetensors.U8, 3, 3)):                        "does not fit the program",
		write("others", tensor("a", safetensors.U8, 2), tensor("b", safetensors.U8)): "no tensor image: found 2 others",
		filepath.Join(dir, "absent.safetensors"):                                     "cannot open",
	} {
		if _, err := r.Find([]string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}

// TestLabels: a prediction from anything but pictures has no input here.
func TestLabels(t *testing.T) {
	p, q := program(2)
	p.Module.Funcs[0].Args[0].Name = "label"
	if _, err := Open(p, q); err == nil || !strings.Contains(err.Error(), "predicts from label") {
		t.Errorf("error %v", err)
	}
	q.Data.Stages = []ir.Call{{Name: "mirror"}}
	if _, err := Open(p, q); err == nil || !strings.Contains(err.Error(), "no such stage") {
		t.Errorf("error %v", err)
	}
}

func TestTop(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		n      int
		want   []int
	}{
		{[]float64{0.1, 0.7, 0.2}, 2, []int{1, 2}},
		{[]float64{1, 1, 1}, 2, []int{0, 1}},
		{[]float64{nan, -1, math.Inf(-1)}, 3, []int{1, 2, 0}},
		{[]float64{1}, 5, []int{0}},
	} {
		if got := Top(c.values, c.n); !slices.Equal(got, c.want) {
			t.Errorf("Top(%v, %d) = %v, want %v", c.values, c.n, got, c.want)
		}
	}
}

// TestCollector reads back what was collected.
func TestCollector(t *testing.T) {
	c := &Collector{}
	for i := range 2 {
		c.Add(Row{Name: fmt.Sprintf("%d.png", i), Outputs: []Output{{Name: "y", Type: ir.T(ir.F32, ir.Dim{Label: "w", Size: 2}), Data: bytes.Repeat([]byte{byte(i)}, 8)}}})
	}
	path := filepath.Join(t.TempDir(), "out.safetensors")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Encode(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	y, _ := f.Lookup("y")
	got, err := f.Read("y")
	if want := append(make([]byte, 8), bytes.Repeat([]byte{1}, 8)...); err != nil || y.String() != "F32[2 2]" || !bytes.Equal(got, want) {
		t.Errorf("%v %v, error %v", y, got, err)
	}
	if names := f.Metadata()[keyInputs]; names != `["0.png","1.png"]` {
		t.Errorf("inputs %s", names)
	}
	if !data.IsPicture("x.JPG") || data.IsPicture("x.txt") {
		t.Error("endings of pictures")
	}
}
