package leaves

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/runtime/safetensors"
)

func f32s(xs ...float32) []byte {
	var b []byte
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func u16s(xs ...uint16) []byte {
	var b []byte
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint16(b, x)
	}
	return b
}

func leaf(name string, size int) ir.Leaf {
	return ir.Leaf{Name: name, Type: ir.T(ir.F32, ir.Dim{Label: "width", Size: size})}
}

// save writes a file of weights and opens it.
func save(t *testing.T, meta map[string]string, tensors ...safetensors.Tensor) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := safetensors.WriteFile(path, meta, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestNames: a model's name is its program's choice; parts that are no model's do not count.
func TestNames(t *testing.T) {
	tensor := func(name string) safetensors.Tensor {
		return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{1}, Data: f32s(1)}
	}
	run := save(t, nil, tensor("net.head.w"), tensor("opt.net.head.w.m"), tensor("ema.net.head.w"), tensor("t"))
	bare := save(t, nil, tensor("w"))
	two := save(t, nil, tensor("image.w"), tensor("text.w"))
	for _, c := range []struct {
		file *File
		leaf string
		want bool
	}{
		{run, "net.head.w", true}, {run, "b16.head.w", true}, {run, "ema.net.head.w", true}, {run, "net.head.b", false},
		{bare, "b16.w", true}, {two, "image.w", true}, {two, "net.w", false},
	} {
		if _, ok := c.file.Named(c.leaf); ok != c.want {
			t.Errorf("%s in %v: %v", c.leaf, c.file.Tensors(), ok)
		}
	}
}

// TestHalfPrecision: every binary16 and bfloat16 has an f32 of the same value.
func TestHalfPrecision(t *testing.T) {
	f := save(t, nil,
		safetensors.Tensor{Name: "net.h", DType: safetensors.F16, Shape: []int{7}, Data: u16s(0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0xfc00, 0x8000)},
		safetensors.Tensor{Name: "net.b", DType: safetensors.BF16, Shape: []int{2}, Data: u16s(0x3f80, 0xc0a0)})
	for name, want := range map[string][]byte{
		"net.h": f32s(1, -2, 0x1p-24, -1023*0x1p-24, 65504, float32(math.Inf(-1)), float32(math.Copysign(0, -1))), "net.b": f32s(1, -5),
	} {
		if got, err := f.Read(leaf(name, len(want)/4)); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v, want %v, error %v", name, got, want, err)
		}
	}
}

func TestReadErrors(t *testing.T) {
	f := save(t, map[string]string{KeyClasses: `["a","b"]`},
		safetensors.Tensor{Name: "net.w", DType: safetensors.F32, Shape: []int{2}, Data: f32s(1, 2)},
		safetensors.Tensor{Name: "net.i", DType: safetensors.I32, Shape: []int{1}, Data: f32s(1)})
	if strings.Join(f.Classes, " ") != "a b" {
		t.Errorf("classes %v", f.Classes)
	}
	for _, c := range []struct {
		leaf ir.Leaf
		want string
	}{
		{leaf("net.w", 3), "does not fit net.w: expected f32[width:3], found F32[2]"},
		{leaf("net.i", 1), "another type of elements: expected f32, found I32"},
		{leaf("net.ww", 2), "no tensor for net.ww: expected f32[width:2], found 2 others, the nearest net.w"},
	} {
		if _, err := f.Read(c.leaf); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.safetensors")
	if err := safetensors.WriteFile(bad, map[string]string{KeyClasses: "a, b"}, nil); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("weights"), 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "absent"): "cannot open the weights", dir: "no checkpoint in the folder", bad: "not the names of classes", text: "not a complete safetensors file",
	} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}
