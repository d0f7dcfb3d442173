package weights

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"vitc/runtime/checkpoint"
	"vitc/runtime/safetensors"
)

// ramp is what testdata/make.py writes in every floating type.
var ramp = []float32{-1.5, -0.5, 0.5, 1.5, 2.5, 3.5}

func mustOpen(t *testing.T, path string) File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func checkFloats(t *testing.T, f File, name, typ string, want []float32) {
	t.Helper()
	info, ok := Lookup(f, name)
	if !ok || info.String() != typ {
		t.Errorf("%s: %v, %v; want %s", name, info, ok, typ)
		return
	}
	if got, err := Floats(f, info); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %v, %v; want %v", name, got, err, want)
	}
}

func TestNpzOfNumPy(t *testing.T) {
	fortran := make([]float32, 24)
	for i := range fortran {
		fortran[i] = float32(i)
	}
	for _, file := range []string{"stored.npz", "deflated.npz"} {
		f := mustOpen(t, "testdata/"+file)
		if n := len(f.Tensors()); n != 9 {
			t.Errorf("%s: %d tensors", file, n)
		}
		for name, typ := range map[string]string{"f4": "F32[2 3]", "f8": "F64[2 3]", "f2": "F16[2 3]", "big": "F32[2 3]", "bf16": "BF16[2 3]"} {
			checkFloats(t, f, name, typ, ramp)
		}
		checkFloats(t, f, "scalar", "F32[]", []float32{2.5})
		checkFloats(t, f, "fortran", "F32[2 3 4]", fortran)
		checkFloats(t, f, "a/b", "F32[0 3]", []float32{})
		info, _ := Lookup(f, "i8")
		if _, err := Floats(f, info); err == nil || !strings.Contains(err.Error(), "not of a floating type: expected F32, F16, BF16 or F64, found I64[2 3]") {
			t.Errorf("integers as floats: %v", err)
		}
		if data, err := f.Read("i8"); err != nil || binary.LittleEndian.Uint64(data[40:]) != 5 {
			t.Errorf("i8: %v, %v", data, err)
		}
	}
	checkFloats(t, mustOpen(t, "testdata/fortran.npy"), "array", "F32[2 3 4]", fortran)
}

func TestInitialisersOfONNX(t *testing.T) {
	f := mustOpen(t, "testdata/small.onnx")
	checkFloats(t, f, "layer.weight", "F32[2 3]", []float32{0, 1, 2, 3, 4, 5})
	checkFloats(t, f, "/fc/MatMul:1", "F32[3 2]", []float32{0, 3, 1, 4, 2, 5})
	checkFloats(t, f, "typed", "F32[3]", []float32{0.5, -1.5, 2.5})
	checkFloats(t, f, "half", "F16[2]", []float32{0.5, -1.5})
	checkFloats(t, f, "bf16", "BF16[2]", []float32{0.5, -1.5})
	checkFloats(t, f, "double", "F64[1]", []float32{0.1})
	data, err := f.Read("shape")
	if err != nil || int64(binary.LittleEndian.Uint64(data)) != -1 {
		t.Errorf("shape: %v, %v", data, err)
	}
	if _, err := f.Read("onnx::MatMul_7"); err == nil {
		t.Error("the made-up name is still there")
	}
}

// TestHalf compares with the definition: sign, five bits of exponent biased by 15, ten of fraction.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		exp, frac := h>>10&0x1f, h&0x3ff
		want := math.Ldexp(1+float64(frac)/1024, exp-15)
		switch exp {
		case 0:
			want = math.Ldexp(float64(frac), -24)
		case 31:
			if want = math.Inf(1); frac != 0 {
				want = math.NaN()
			}
		}
		if h>>15 == 1 {
			want = -want
		}
		got := float64(half(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("%#04x: %v, want %v", h, got, want)
		}
	}
}

func TestFolderIsItsLatestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	s, err := checkpoint.OpenStore(dir, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for step := range 2 {
		data := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(step)))
		if _, err := s.Save(checkpoint.Info{Step: int64(step)}, []safetensors.Tensor{{Name: "w", DType: safetensors.F32, Data: data}}); err != nil {
			t.Fatal(err)
		}
	}
	checkFloats(t, mustOpen(t, dir), "w", "F32[]", []float32{1})
}

// npy makes an array file.
func npy(version byte, header, data string) []byte {
	b := append([]byte(npyMagic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

const two = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"

func TestBigHeader(t *testing.T) {
	b := npy(2, two+strings.Repeat(" ", 100_000)+"\n", "12345678")
	f, err := New("t.npy", bytes.NewReader(b), int64(len(b)))
	if err != nil || len(f.Tensors()) != 1 {
		t.Fatal(f, err)
	}
}

// zipped makes an archive of stored entries.
func zipped(t interface{ Fatal(...any) }, method uint16, entries map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// overlapping makes an archive whose two entries share their bytes.
func overlapping(t *testing.T) []byte {
	b := zipped(t, zip.Store, map[string][]byte{"a.npy": npy(1, two, "12345678")})
	at := bytes.Index(b, []byte("PK\x01\x02"))
	end := bytes.Index(b, []byte("PK\x05\x06"))
	record := slices.Clone(b[at:end])
	out := slices.Concat(b[:at], record, record, b[end:])
	tail := out[end+len(record):]
	for _, i := range []int{8, 10} {
		binary.LittleEndian.PutUint16(tail[i:], 2)
	}
	binary.LittleEndian.PutUint32(tail[12:], uint32(2*len(record)))
	return out
}

// bomb makes an archive that claims to unpack to four gigabytes.
func bomb(t *testing.T) []byte {
	b := zipped(t, zip.Deflate, map[string][]byte{"a.npy": npy(1, two, "12345678")})
	at := bytes.Index(b, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(b[at+24:], 0xfffffff0)
	return b
}

// model makes an ONNX model of one initialiser's fields.
func model(fields ...[]byte) []byte {
	tensor := protowire.AppendBytes(protowire.AppendTag(nil, graphInitializer, protowire.BytesType), bytes.Join(fields, nil))
	return append([]byte{0x08, 0x07}, protowire.AppendBytes(protowire.AppendTag(nil, modelGraph, protowire.BytesType), tensor)...)
}

func num(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func str(n protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), v)
}

// TestRejects names each way in which a file may lie, and what the message must have.
func TestRejects(t *testing.T) {
	array := npy(1, two, "12345678")
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "not a file of weights: expected one of safetensors, .npz, .npy, ONNX"},
		{"text", []byte("hello, world"), `found a file that begins with "hello, wo"`},
		{"npy cut in its data", array[:len(array)-1], `tensor "array": the file has another size: expected 8 bytes for F32[2], found 7`},
		{"npy cut in its header", array[:40], "expected a header of 57 bytes, found 30"},
		{"npy too long", append(slices.Clone(array), 0), "expected 8 bytes for F32[2], found 9"},
		{"npy of version 9", npy(9, two, ""), "expected format version 1, 2 or 3, found 9"},
		{"npy header of 4 GiB", npy(2, two, "")[:10], "expected the length of its header, found the end"},
		{"npy huge header", append([]byte(npyMagic), 2, 0, 255, 255, 255, 255), "expected a header of at most 1048576 bytes, found 4294967295"},
		{"npy pickled", npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", ""), "expected a type of numbers"},
		{"npy record", npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", ""), "expected a type of numbers"},
		{"npy code", npy(1, "{'descr': __import__('os')}", ""), "found \"__import__"},
		{"npy size of 2^64", npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,), }", ""), "at most 64 sizes from 0 to 2^63-1"},
		{"npy overflow", npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", ""), "size overflows"},
		{"npy negative", npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", ""), "at most 64 sizes from 0"},
		{"npy key twice", npy(1, "{'descr': '<f4', 'descr': '<f4', 'shape': (2,), }", "12345678"), "once each"},
		{"npy key missing", npy(1, "{'descr': '<f4', 'shape': (2,), }", "12345678"), "expected 'descr', 'fortran_order' and 'shape'"},
		{"npy text behind", npy(1, two+"x", "12345678"), "expected the end of the header"},
		{"zip cut", zipped(t, zip.Store, map[string][]byte{"a.npy": array})[:40], "not a whole .npz archive"},
		{"zip of other things", zipped(t, zip.Store, map[string][]byte{"a.txt": array}), "expected names that end with .npy"},
		{"zip entry of another size", zipped(t, zip.Store, map[string][]byte{"a.npy": array[:60]}), "expected a header of 57 bytes"},
		{"zip entry too long", zipped(t, zip.Deflate, map[string][]byte{"a.npy": append(slices.Clone(array), 1)}), "expected 8 bytes for F32[2], found 9"},
		{"zip overlap", overlapping(t), "entries of the archive overlap"},
		{"zip bomb", bomb(t), "the archive claims more than it can hold"},
		{"onnx no graph", []byte{0x08, 0x07}, "not an ONNX model: expected one graph, found 0"},
		{"onnx cut", model(num(tensorDims, 2))[:6], "malformed model of an ONNX model"},
		{"onnx external", model(str(tensorName, "w"), num(tensorType, 1), num(tensorLocation, 1)), `tensor "w": its data is in another file`},
		{"onnx unknown type", model(str(tensorName, "w"), num(tensorType, 8)), "unknown element type: expected floats or integers of 8 to 64 bits, found type 8"},
		{"onnx negative", model(num(tensorDims, 1<<63)), "sizes of at least 0, found -9223372036854775808"},
		{"onnx overflow", model(num(tensorType, 1), num(tensorDims, 1<<62), num(tensorDims, 4)), "size overflows"},
		{"onnx cut data", model(str(tensorName, "w"), num(tensorType, 1), num(tensorDims, 2), str(tensorRaw, "1234")), "expected 8 bytes for F32[2], found 4"},
		{"onnx sparse", append([]byte{0x08, 0x07}, str(modelGraph, string(str(graphSparse, "")))...), "sparse initialisers are not read"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := New("t", bytes.NewReader(c.file), int64(len(c.file)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "no")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	for name, want := range map[string]string{"a.vitb": "a bundle holds code", "a.pth": "pickled files run code"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("something else"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open("/dev/null"); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("device: %v", err)
	}
}

// useAll opens a file and reads everything that it holds: no claim may go unchecked.
func useAll(t interface{ Fatalf(string, ...any) }, b []byte) {
	f, err := New("t", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		if len(err.Error()) > 1000 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		return
	}
	for _, info := range f.Tensors() {
		data, err := f.Read(info.Name)
		if n, ok := safetensors.ByteSize(info.DType, info.Shape); err == nil && (!ok || int64(len(data)) != n) {
			t.Fatalf("%s: %d bytes for %s", info.Name, len(data), info)
		}
	}
}

func samples(t interface{ Fatal(...any) }) [][]byte {
	var out [][]byte
	for _, name := range []string{"stored.npz", "deflated.npz", "fortran.npy", "small.onnx"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return append(out, npy(1, two, "12345678"), zipped(t, zip.Store, map[string][]byte{"a.npy": npy(3, two, "12345678")}))
}

// TestDamagedFiles flips bytes and cuts the files anywhere.
func TestDamagedFiles(t *testing.T) {
	files := samples(t)
	rapid.Check(t, func(t *rapid.T) {
		b := slices.Clone(rapid.SampledFrom(files).Draw(t, "file"))
		for range rapid.IntRange(1, 3).Draw(t, "flips") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		}
		if rapid.Bool().Draw(t, "cut") {
			b = b[:rapid.IntRange(0, len(b)).Draw(t, "length")]
		}
		useAll(t, b)
	})
}

func FuzzOpen(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { useAll(t, b) })
}

// TestNpyRoundTrip reads back arrays of any shape in both orders.
func TestNpyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 4), 0, 4).Draw(t, "shape")
		n := 1
		text := ""
		for _, s := range shape {
			n *= s
			text += fmt.Sprintf("%d, ", s)
		}
		fortran := rapid.Bool().Draw(t, "fortran")
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i)
		}
		order := map[bool]string{true: "True", false: "False"}[fortran]
		b := npy(1, fmt.Sprintf("{'descr': '|u1', 'fortran_order': %s, 'shape': (%s), }", order, text), string(data))
		f, err := New("t", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Read("array")
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			want := i
			if fortran {
				want = fortranPlace(shape, i)
			}
			if int(got[i]) != want {
				t.Fatalf("%v fortran %v: element %d is %d, want %d", shape, fortran, i, got[i], want)
			}
		}
	})
}

// fortranPlace is where the element that is i-th in row-major order lies in column-major order.
func fortranPlace(shape []int, i int) int {
	at := make([]int, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		at[k], i = i%shape[k], i/shape[k]
	}
	place, stride := 0, 1
	for k, n := range shape {
		place += at[k] * stride
		stride *= n
	}
	return place
}
