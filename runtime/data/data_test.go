package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// idxBytes makes an IDX file of a type and sizes.
func idxBytes(kind byte, data []byte, dims ...uint32) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// write puts files, by name, into a new folder.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func imageField(rows, cols, channels int) Field {
	return Field{"image", U8, []Dim{{"row", rows}, {"col", cols}, {"channel", channels}}}
}

var labelField = Field{Name: "label", DType: I32}

func named(name, value string) Arg { return Arg{name, value} }

func idxCall(images, labels string) Call {
	return Call{"idx", []Arg{named("images", images), named("labels", labels)}}
}

func shiftCall(by int) Call { return Call{"shift", []Arg{{"", by}}} }

// counting is a data set of n examples of 2 x 3 pixels: pixel k of example i is 6i+k
// modulo 256, its label i modulo 10.
func counting(t testing.TB, n int, stages []Call, shuffle Shuffle, seed uint64) *Dataset {
	t.Helper()
	pixels, labels := make([]byte, 6*n), make([]byte, n)
	for i := range pixels {
		pixels[i] = byte(i)
	}
	for i := range labels {
		labels[i] = byte(i % 10)
	}
	dir := write(t, map[string][]byte{
		"i": idxBytes(idxU8, pixels, uint32(n), 2, 3),
		"l": gzipped(idxBytes(idxU8, labels, uint32(n))),
	})
	ds, err := Open(Decl{"d", []Field{imageField(2, 3, 1), labelField}, idxCall("i", "l"), stages, shuffle}, Options{Dir: dir, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// fails checks that err has every part.
func fails(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q\nlacks %q", err, part)
		}
	}
}

func TestExampleIsWhatTheFileHolds(t *testing.T) {
	ds := counting(t, 50, nil, ShuffleNone, 0)
	if ds.Len() != 50 || ds.Name() != "d" || ds.Classes() != nil {
		t.Errorf("%d examples of %q, classes %v", ds.Len(), ds.Name(), ds.Classes())
	}
	dst := ds.Buffers(1)
	if err := ds.Example(0, 47, dst); err != nil {
		t.Fatal(err)
	}
	first := 47 * 6 % 256
	want := []byte{byte(first), byte(first + 1), byte(first + 2), byte(first + 3), byte(first + 4), byte(first + 5)}
	if !bytes.Equal(dst[0], want) || !bytes.Equal(dst[1], []byte{7, 0, 0, 0}) {
		t.Errorf("example 47: %v, want %v and label 7", dst, want)
	}
	fails(t, ds.Example(0, 50, dst), "no such example", "0 to 49", "found 50")
}

// TestAxesInAnyOrder: a program's axes have no order, so a file's rows may go anywhere.
func TestAxesInAnyOrder(t *testing.T) {
	dir := write(t, map[string][]byte{"i": idxBytes(idxU8, []byte("abcdefghijklmnopqr"), 1, 2, 3, 3)})
	cases := []struct {
		dims []Dim
		want string
	}{
		{[]Dim{{"row", 2}, {"col", 3}, {"channel", 3}}, "abcdefghijklmnopqr"},
		{[]Dim{{"channel", 3}, {"row", 2}, {"col", 3}}, "adgjmpbehknqcfilor"},
		{[]Dim{{"col", 3}, {"channel", 3}, {"row", 2}}, "ajbkcldmenfogphqir"},
	}
	for _, c := range cases {
		ds, err := Open(Decl{Fields: []Field{{"image", U8, c.dims}}, Source: Call{"idx", []Arg{named("images", "i")}}}, Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		dst := ds.Buffers(1)
		if err := ds.Example(0, 0, dst); err != nil || string(dst[0]) != c.want {
			t.Errorf("%v: %q, %v; want %q", c.dims, dst[0], err, c.want)
		}
	}
}

func TestLabelsOfFourBytes(t *testing.T) {
	dir := write(t, map[string][]byte{
		"i": idxBytes(idxU8, make([]byte, 2), 2, 1, 1),
		"l": idxBytes(idxI32, []byte{0, 1, 0, 2, 255, 255, 255, 255}, 2),
	})
	ds, err := Open(Decl{Fields: []Field{labelField}, Source: idxCall("i", "l")}, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	dst := ds.Buffers(1)
	if err := ds.Example(0, 0, dst); err != nil || binary.LittleEndian.Uint32(dst[0]) != 65538 {
		t.Errorf("label %v, %v", dst[0], err)
	}
	fails(t, ds.Example(0, 1, dst), "i: example 1: label out of range", "expected 0 or more, found -1")
}

func TestEmbeddedSubset(t *testing.T) {
	decl := Decl{"held_out", []Field{imageField(28, 28, 1), labelField}, idxCall("fashion-subset/t10k-images-idx3-ubyte.gz", "fashion-subset/t10k-labels-idx1-ubyte.gz"), nil, ShuffleNone}
	ds, err := Open(decl, Options{Dir: t.TempDir(), Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if ds.Len() != 400 {
		t.Errorf("%d examples", ds.Len())
	}
}

func TestFoldersAreSearchedInOrder(t *testing.T) {
	file := func(pixel byte) map[string][]byte {
		return map[string][]byte{"i": idxBytes(idxU8, []byte{pixel}, 1, 1, 1)}
	}
	none, first, second := t.TempDir(), write(t, file(1)), write(t, file(2))
	for _, c := range []struct {
		o    Options
		want byte
	}{
		{Options{Dir: first, Search: []string{second}}, 1},
		{Options{Dir: none, Search: []string{none, second, first}}, 2},
	} {
		ds, err := Open(Decl{Fields: []Field{imageField(1, 1, 1)}, Source: Call{"idx", []Arg{{"", "i"}}}}, c.o)
		if err != nil {
			t.Fatal(err)
		}
		dst := ds.Buffers(1)
		if err := ds.Example(0, 0, dst); err != nil || dst[0][0] != c.want {
			t.Errorf("%v, %v; want %d", dst, err, c.want)
		}
	}
}

func TestMissingFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	open := func(images string) error {
		_, err := Open(Decl{Fields: []Field{imageField(28, 28, 1)}, Source: Call{"idx", []Arg{named("images", images)}}}, Options{Dir: dir, Search: []string{other}})
		return err
	}
	fails(t, open("x/y.gz"), "x/y.gz: no such file in "+dir+", "+other, "relative to the program")
	fails(t, open("train-images-idx3-ubyte.gz"), "no such file in "+dir, "dataset-fashion-mnist", `"fashion-subset/train-images-idx3-ubyte.gz"`)
	fails(t, open("fashion-subset/no.gz"), "no such file")
	fails(t, open(dir), dir+": no such file: expected a file, found a folder")
	fails(t, open(filepath.Join(dir, "z")), filepath.Join(dir, "z")+": no such file: file does not exist")
}

// TestDeclarations: what is wrong with a data block, whatever the files hold.
func TestDeclarations(t *testing.T) {
	dir := write(t, map[string][]byte{"i": idxBytes(idxU8, make([]byte, 4), 1, 2, 2), "l": idxBytes(idxU8, []byte{3}, 1)})
	image := []Field{imageField(2, 2, 1)}
	stage := func(name string, args ...Arg) Decl {
		return Decl{"d", image, idxCall("i", "l"), []Call{{name, args}}, 0}
	}
	source := func(name string, args ...Arg) Decl { return Decl{Name: "d", Fields: image, Source: Call{name, args}} }
	fields := func(f ...Field) Decl {
		return Decl{Name: "d", Fields: f, Source: Call{"idx", []Arg{named("images", "i")}}}
	}
	cases := []struct {
		decl Decl
		want string
	}{
		{source("npz"), "source npz: no such source: expected one of idx, folder"},
		{source("tar"), "source tar: this version of vitc cannot run it yet: it comes in a later version: expected one of idx, folder"},
		{source("idx"), `source idx: argument missing: expected idx(images: string, labels = ""), found no images`},
		{source("idx", Arg{"images", 3}), "argument of another kind: expected images: string, found 3"},
		{source("idx", Arg{"files", "x"}), "no such argument: expected idx(images: string, labels = \"\"), found files"},
		{source("idx", Arg{"", "i"}, Arg{"images", "i"}), "argument given twice"},
		{source("idx", Arg{"", "i"}, Arg{"", "l"}, Arg{"", "m"}), "found 3 arguments"},
		{stage("mirror"), "stage mirror: no such stage: expected one of decode, inception_crop, central_crop, resize, stretch, crop, flip, shift"},
		{stage("rand_augment"), "stage rand_augment: this version of vitc cannot run it yet"},
		{stage("shift"), "argument missing: expected shift(by: int), found no by"},
		{stage("shift", Arg{"by", 1.5}), "expected by: int, found 1.5"},
		{stage("shift", Arg{"by", -1}), "stage shift(by: int): bad argument: by: out of bounds: expected 0 to 8192, found -1"},
		{stage("central_crop", Arg{"", 0}), "size: out of bounds: expected 1 to 8192, found 0"},
		{stage("central_crop", Arg{"", 8}, Arg{"keep", 0}), "keep: out of bounds: expected more than 0, at most 1, found 0"},
		{stage("inception_crop", Arg{"", 8}, Arg{"least", 1.5}), "least: out of bounds"},
		{stage("decode", Arg{"", 9000}), "size: out of bounds"},
		{stage("central_crop", Arg{"", 3}), "i: example 0: the image has not the declared sizes: expected row:2 col:2 channel:1, found row:3 col:3 channel:1"},
		{fields(), "data d: no fields"},
		{fields(imageField(32, 32, 1)), "expected row:32 col:32 channel:1, found row:2 col:2 channel:1; fix: declare the sizes found, or add a stage"},
		{fields(imageField(2, 2, 3)), "expected row:2 col:2 channel:3, found row:2 col:2 channel:1; fix: declare the channels"},
		{fields(imageField(2, 2, 4)), "an image of another type: expected u8 with axes row, col and channel, of 1 or 3 channels"},
		{fields(imageField(1<<20, 1<<20, 1)), "an image of another type"},
		{fields(Field{"image", I32, image[0].Dims}), "field image: i32[row:2, col:2, channel:1]: an image of another type"},
		{fields(Field{"image", U8, []Dim{{"row", 2}, {"row", 2}}}), "an image of another type"},
		{fields(image[0], image[0]), "declared twice"},
		{fields(Field{"label", U8, nil}), "a label of another type: expected label: i32[]"},
		{fields(Field{"target", U8, nil}), "no source gives such a field: it comes in a later version: expected image or label"},
		{fields(image[0], labelField), "no labels for the field `label`"},
		{Decl{Name: "d", Fields: image, Source: idxCall("i", "l"), Shuffle: -2}, "bad shuffle"},
	}
	for _, c := range cases {
		_, err := Open(c.decl, Options{Dir: dir})
		fails(t, err, c.want)
		if without := c.decl.Validate(); without != nil && without.Error() != err.Error() {
			t.Errorf("without the files the error is %q, with them %q", without, err)
		}
	}
}

// TestValidate: declarations are checked where their files are not.
func TestValidate(t *testing.T) {
	d := Decl{Name: "d", Fields: []Field{imageField(2, 2, 1)}, Source: idxCall("absent", ""), Stages: []Call{{"shift", []Arg{{"", 1}}}}}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	d.Stages[0].Name = "shft"
	fails(t, d.Validate(), "stage shft: no such stage")
	d.Stages, d.Source.Name = nil, "tar"
	if err := d.Validate(); !errors.Is(err, ErrLater) {
		t.Errorf("error %v, want ErrLater", err)
	}
}

func TestClassesBoundTheLabels(t *testing.T) {
	dir := write(t, map[string][]byte{"i": idxBytes(idxU8, make([]byte, 3), 3, 1, 1), "l": idxBytes(idxU8, []byte{0, 9, 10}, 3)})
	ds, err := Open(Decl{Fields: []Field{labelField}, Source: idxCall("i", "l")}, Options{Dir: dir, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := ds.Example(0, 1, ds.Buffers(1)); err != nil {
		t.Error(err)
	}
	fails(t, ds.Example(0, 2, ds.Buffers(1)), "example 2: label out of range: expected 0 to 9, found 10")
}

// TestBadIDX: one file of each kind of damage.
func TestBadIDX(t *testing.T) {
	good := idxBytes(idxU8, make([]byte, 8), 2, 2, 2)
	zipped := gzipped(good)
	flipped := bytes.Clone(zipped)
	flipped[len(flipped)-6] ^= 1 // of the checksum
	deflate := bytes.Clone(zipped)
	deflate[10] = 0xff // a block type that does not exist
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "byte 0: the file is cut short: expected 4 bytes of magic number, found 0"},
		{"text", []byte("hello, world"), "byte 0: not an IDX file: expected two zero bytes, found 68 65"},
		{"type", idxBytes(0x0d, make([]byte, 32), 2, 2, 2), "byte 2: another element type: expected one of 08 (hexadecimal), found 0d"},
		{"rank", idxBytes(idxU8, make([]byte, 4), 2, 2), "byte 3: another number of dimensions: expected 3 to 4, found 2"},
		{"cut in the sizes", good[:9], "byte 9: the file is cut short: expected 12 bytes of sizes, found 5"},
		{"cut", good[:20], "byte 16: the file is too small for its sizes: expected 24 bytes for [2 2 2], found at most 20"},
		{"longer", append(bytes.Clone(good), 0), "byte 24: bytes after the last element: expected the end, sizes being [2 2 2]"},
		{"no examples", idxBytes(idxU8, nil, 0, 2, 2), "an empty file"},
		{"enormous", idxBytes(idxU8, nil, 1<<31, 1<<31, 1<<31), "larger than fits memory"},
		{"large claim", idxBytes(idxU8, nil, 1<<10, 1<<10, 1<<10), "too small for its sizes"},
		{"large claim, gzipped", gzipped(idxBytes(idxU8, nil, 1<<10, 1<<10, 1<<10)), "too small for its sizes"},
		{"gzip header", zipped[:6], "not a whole gzip file: unexpected EOF"},
		{"gzip cut", zipped[:14], "the file is cut short"},
		{"gzip checksum cut", zipped[:len(zipped)-2], "the gzip file is damaged after 24 unpacked bytes: unexpected EOF"},
		{"gzip checksum", flipped, "the gzip file is damaged after 24 unpacked bytes: gzip: invalid checksum"},
		{"gzip data", deflate, "the gzip file is damaged after 0 unpacked bytes: flate: corrupt input"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, map[string][]byte{"i": c.file})
			_, err := Open(Decl{Fields: []Field{imageField(2, 2, 1)}, Source: Call{"idx", []Arg{{"", "i"}}}}, Options{Dir: dir})
			fails(t, err, filepath.Join(dir, "i"), c.want)
		})
	}
}

func TestImagesAndLabelsMustMatch(t *testing.T) {
	dir := write(t, map[string][]byte{"i": idxBytes(idxU8, make([]byte, 3), 3, 1, 1), "l": idxBytes(idxU8, make([]byte, 2), 2)})
	_, err := Open(Decl{Fields: []Field{labelField}, Source: idxCall("i", "l")}, Options{Dir: dir})
	fails(t, err, filepath.Join(dir, "i"), filepath.Join(dir, "l"), "do not belong together", "as many labels as images, 3, found 2")
}

func FuzzIDX(f *testing.F) {
	f.Add(idxBytes(idxU8, make([]byte, 8), 2, 2, 2))
	f.Add(gzipped(idxBytes(idxU8, make([]byte, 8), 2, 2, 2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := write(t, map[string][]byte{"i": b})
		file, err := readIDX(newFinder(Options{Dir: dir}), "i", []byte{idxU8, idxI32}, 1, 4)
		if err != nil {
			return
		}
		n := file.elem
		for _, d := range file.dims {
			n *= d
		}
		if n != len(file.data) || n == 0 {
			t.Errorf("sizes %v of %d bytes, %d bytes read", file.dims, file.elem, len(file.data))
		}
	})
}
