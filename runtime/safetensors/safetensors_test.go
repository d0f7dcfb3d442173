package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// file puts a header text and data together.
func file(header, data string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func open(b []byte) (*File, error) { return New("t", bytes.NewReader(b), int64(len(b))) }

func TestReadsWhatTheFormatSays(t *testing.T) {
	f, err := open(file(`{"__metadata__":{"by":"hand"},"b":{"dtype":"U8","shape":[2,1],"data_offsets":[4,6]},
		"a":{"shape":[],"data_offsets":[0,4],"dtype":"F32"},"none":{"dtype":"I64","shape":[3,0],"data_offsets":[4,4]}}   `, "\x00\x00\x80\x3fxy"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Info{
		{Name: "a", DType: F32, Shape: []int{}, Offset: 0, Bytes: 4},
		{Name: "none", DType: I64, Shape: []int{3, 0}, Offset: 4, Bytes: 0},
		{Name: "b", DType: U8, Shape: []int{2, 1}, Offset: 4, Bytes: 2},
	}
	if d := cmp.Diff(want, f.Tensors()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"by": "hand"}, f.Metadata()); d != "" {
		t.Error(d)
	}
	if got, err := f.Read("b"); err != nil || string(got) != "xy" {
		t.Errorf("b = %q, %v", got, err)
	}
	if got, err := io.ReadAll(f.Section(want[0])); err != nil || string(got) != "\x00\x00\x80\x3f" {
		t.Errorf("a = %q, %v", got, err)
	}
}

// TestRejects: one file of each kind of damage, and the parts its message must have.
func TestRejects(t *testing.T) {
	one := func(entry string) string { return `{"w":{` + entry + `}}` }
	const ok = `"dtype":"U8","shape":[2],"data_offsets":[0,2]`
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "t: not a complete safetensors file: expected 8 bytes that give the header's length, found a file of 0 bytes"},
		{"length beyond the file", file(one(ok), "")[:20], "expected a header of 53 bytes, found 12 bytes after the length"},
		{"length of 2^64-1", []byte("\xff\xff\xff\xff\xff\xff\xff\xff{}"), "found a length of 18446744073709551615"},
		{"no JSON", file("hello", ""), `malformed header: expected "{", found invalid character 'h'`},
		{"an array", file("[]", ""), `malformed header: expected "{", found [`},
		{"cut JSON", file(`{"w":`, ""), `expected "{", found the end of the header`},
		{"text after", file(`{} x`, ""), "expected spaces after the closing brace"},
		{"not UTF-8", file("{\"\xff\":1}", ""), "expected UTF-8 text"},
		{"deep nesting", file(`{"w":`+strings.Repeat("[", 10000), ""), `malformed entry of tensor "w": expected "{", found [`},
		{"name twice", file(`{"w":{`+ok+`},"w":{`+ok+`}}`, "xy"), `expected each name once, found "w" twice`},
		{"metadata twice", file(`{"__metadata__":{"a":"1","a":"2"}}`, ""), `found "a" twice`},
		{"metadata number", file(`{"__metadata__":{"a":1}}`, ""), `malformed __metadata__ entry "a": expected a string, found 1`},
		{"member twice", file(one(ok+`,"dtype":"I8"`), "xy"), `found "dtype" twice`},
		{"unknown member", file(one(ok+`,"x":1`), "xy"), `expected dtype, shape or data_offsets, found "x"`},
		{"no shape", file(one(`"dtype":"U8","data_offsets":[0,2]`), "xy"), "expected shape, found none"},
		{"unknown dtype", file(one(`"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]`), "xy"), "expected one of F64 F32"},
		{"negative size", file(one(`"dtype":"U8","shape":[-2],"data_offsets":[0,2]`), "xy"), "expected a whole number of 0 to 2^63-1, found -2"},
		{"fraction", file(one(`"dtype":"U8","shape":[2.0],"data_offsets":[0,2]`), "xy"), "found 2.0"},
		{"size of 2^64", file(one(`"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,2]`), "xy"), "found 18446744073709551616"},
		{"product overflows", file(one(`"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]`), ""), "size overflows: expected at most 2^63-1 bytes"},
		{"one offset", file(one(`"dtype":"U8","shape":[2],"data_offsets":[0]`), "xy"), "expected [begin, end], begin <= end, found [0]"},
		{"offsets reversed", file(one(`"dtype":"U8","shape":[2],"data_offsets":[2,0]`), "xy"), "found [2 0]"},
		{"offsets of another size", file(one(`"dtype":"U8","shape":[3],"data_offsets":[0,2]`), "xy"), `tensor "w": data_offsets do not fit the shape: expected 3 bytes for U8[3], found 2`},
		{"gap", file(one(`"dtype":"U8","shape":[2],"data_offsets":[1,3]`), "xyz"), "a gap before the tensor: expected offset 0, found 1"},
		{"overlap", file(`{"a":{`+ok+`},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, "xyz"), `tensor "b": overlaps the tensor before: expected offset 2, found 1`},
		{"cut data", file(one(ok), "x"), "the file is cut short: expected 2 bytes from byte 61, found 1"},
		{"extra data", file(one(ok), "xyz"), "bytes after the last tensor: expected a file of 63 bytes, found 64"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := open(c.file)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestMessagesStayShort(t *testing.T) {
	_, err := open(file(`{"`+strings.Repeat("é", 1<<16)+`":1}`, ""))
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

func TestWrongReads(t *testing.T) {
	f, err := open(file(`{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, "xy"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read("v"); err == nil || !strings.Contains(err.Error(), `tensor "v": no such tensor`) {
		t.Errorf("unknown name: %v", err)
	}
	if err := f.ReadInto("w", make([]byte, 3)); err == nil || !strings.Contains(err.Error(), "expected 2 bytes for U8[2], found 3") {
		t.Errorf("wrong buffer: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "no")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("folder: %v", err)
	}
}

// tensorsGen draws tensors of every type, scalars and empty ones among them.
var tensorsGen = rapid.Custom(func(t *rapid.T) []Tensor {
	names := rapid.SliceOfNDistinct(rapid.String(), 0, 6, rapid.ID[string]).Draw(t, "names")
	tensors := []Tensor{}
	for _, name := range names {
		if name == metadataKey {
			continue
		}
		d := rapid.SampledFrom(dtypes).Draw(t, "dtype").dtype
		shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
		size, _ := ByteSize(d, shape)
		data := rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "data")
		tensors = append(tensors, Tensor{Name: name, DType: d, Shape: shape, Data: data})
	}
	return tensors
})

func encode(t interface{ Fatal(...any) }, meta map[string]string, tensors []Tensor) []byte {
	var b bytes.Buffer
	if err := Encode(&b, meta, tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		meta := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "meta")
		tensors := tensorsGen.Draw(t, "tensors")
		b := encode(t, meta, tensors)
		f, err := open(b)
		if err != nil {
			t.Fatalf("%v\n%q", err, b)
		}
		if len(meta) > 0 && !cmp.Equal(meta, f.Metadata()) {
			t.Fatal(cmp.Diff(meta, f.Metadata()))
		}
		if len(f.Tensors()) != len(tensors) {
			t.Fatalf("%d tensors, want %d", len(f.Tensors()), len(tensors))
		}
		for _, want := range tensors {
			checkTensor(t, f, want)
		}
	})
}

// checkTensor compares one tensor read back, and its alignment.
func checkTensor(t *rapid.T, f *File, want Tensor) {
	info, ok := f.Lookup(want.Name)
	if !ok || info.DType != want.DType || !cmp.Equal(append([]int{}, want.Shape...), info.Shape) {
		t.Fatalf("%q: %v, %v; want %s", want.Name, info, ok, TypeString(want.DType, want.Shape))
	}
	if (f.start+info.Offset)%int64(info.DType.Size()) != 0 {
		t.Fatalf("%q lies at %d, not aligned", want.Name, f.start+info.Offset)
	}
	if data, err := f.Read(want.Name); err != nil || !bytes.Equal(data, want.Data) {
		t.Fatalf("%q: %v, %v; want %v", want.Name, data, err, want.Data)
	}
}

func TestOrderOfTensorsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tensors := tensorsGen.Draw(t, "tensors")
		shuffled := rapid.Permutation(tensors).Draw(t, "shuffled")
		if !bytes.Equal(encode(t, nil, tensors), encode(t, nil, shuffled)) {
			t.Fatal("two files")
		}
	})
}

// TestDamagedFiles flips a byte or cuts the file anywhere: never a panic, and what is
// still accepted stays within bounds.
func TestDamagedFiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := encode(t, map[string]string{"k": "v"}, tensorsGen.Draw(t, "tensors"))
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		useAll(t, b[:rapid.IntRange(0, len(b)).Draw(t, "length")])
	})
}

// useAll opens b and, if that succeeds, reads everything in it.
func useAll(t interface{ Fatalf(string, ...any) }, b []byte) {
	f, err := open(b)
	if err != nil {
		return
	}
	total := f.start
	for _, info := range f.Tensors() {
		data, err := f.Read(info.Name)
		if err != nil {
			t.Fatalf("an accepted file does not read: %v", err)
		}
		total += int64(len(data))
	}
	if total != int64(len(b)) {
		t.Fatalf("%d bytes accounted for, of %d", total, len(b))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(`{}`, ""))
	f.Add(file(`{"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`, "12345678"))
	f.Add(file(`{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[1,2]}}`, "12"))
	f.Fuzz(func(t *testing.T, b []byte) { useAll(t, b) })
}

func TestEncodeRefuses(t *testing.T) {
	short := func(w io.Writer) error { _, err := w.Write([]byte("x")); return err }
	cases := []struct {
		name    string
		meta    map[string]string
		tensors []Tensor
		want    string
	}{
		{"wrong data", nil, []Tensor{{Name: "w", DType: F32, Shape: []int{2}, Data: make([]byte, 4)}}, "expected 8 bytes for F32[2], found 4"},
		{"wrong stream", nil, []Tensor{{Name: "w", DType: F32, Shape: []int{2}, Stream: short}}, "stream of another size: expected 8 bytes for F32[2], found 1"},
		{"two of a name", nil, []Tensor{{Name: "w", DType: U8, Data: []byte("x")}, {Name: "w", DType: U8, Data: []byte("x")}}, `tensor "w": two tensors of one name`},
		{"reserved", nil, []Tensor{{Name: metadataKey, DType: U8, Data: []byte("x")}}, "reserved name"},
		{"unknown type", nil, []Tensor{{Name: "w", DType: "F8"}}, "expected one of F64"},
		{"negative", nil, []Tensor{{Name: "w", DType: U8, Shape: []int{-1}}}, "found U8[-1]"},
		{"name not text", nil, []Tensor{{Name: "\xff", DType: U8, Data: []byte("x")}}, "name is not text"},
		{"metadata not text", map[string]string{"k": "\xff"}, nil, `metadata is not text: expected UTF-8, found "k": "\xff"`},
	}
	for _, c := range cases {
		err := Encode(io.Discard, c.meta, c.tensors)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestWriteFileIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := WriteFile(path, nil, []Tensor{{Name: "w", DType: U8, Shape: []int{3}, Data: []byte("abc")}}); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the device is gone")
	fails := func(w io.Writer) error {
		_, err := w.Write(make([]byte, 5<<20))
		return errors.Join(err, broken)
	}
	err := WriteFile(path, nil, []Tensor{{Name: "w", DType: U8, Shape: []int{6 << 20}, Stream: fails}})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := f.Read("w"); err != nil || string(got) != "abc" {
		t.Errorf("w = %q, %v", got, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left %v", entries)
	}
}
