package data

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// filled is a picture of one colour.
func filled(rows, cols int, c color.Color) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, cols, rows))
	for i := range rows * cols {
		m.Set(i%cols, i/cols, c)
	}
	return m
}

func pngBytes(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegBytes(t testing.TB, m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openPictures(files map[string][]byte, t testing.TB, channels int, o Options, stages ...Call) (*Dataset, error) {
	o.Dir = write(t, files)
	return Open(Decl{"d", []Field{imageField(2, 3, channels), labelField}, Call{"folder", []Arg{named("path", "p")}}, stages, 0}, o)
}

// TestFolder: order, labels, names, formats and conversion to the declared channels.
func TestFolder(t *testing.T) {
	orange := color.NRGBA{200, 100, 50, 255}
	files := map[string][]byte{
		"p/cat/b.png":     pngBytes(t, filled(2, 3, color.Gray{40})),
		"p/cat/a.PNG":     pngBytes(t, filled(2, 3, orange)),
		"p/ant/z.jpeg":    jpegBytes(t, filled(2, 3, color.Gray{90})),
		"p/bee/1.jpg":     jpegBytes(t, filled(2, 3, orange)),
		"p/bee/.DS_Store": []byte("x"),
		"p/.git/x":        []byte("x"),
	}
	want := map[int][][]int{ // by channels: label, then the first pixel
		1: {{0, 90}, {1, 124}, {2, 124}, {2, 40}},
		3: {{0, 90, 90, 90}, {1, 200, 100, 50}, {2, 200, 100, 50}, {2, 40, 40, 40}},
	}
	for channels, rows := range want {
		ds, err := openPictures(files, t, channels, Options{Classes: 3})
		if err != nil {
			t.Fatal(err)
		}
		if ds.Len() != 4 || !slices.Equal(ds.Classes(), []string{"ant", "bee", "cat"}) {
			t.Errorf("%d examples, classes %v", ds.Len(), ds.Classes())
		}
		dst := ds.Buffers(1)
		for i, row := range rows {
			if err := ds.Example(0, i, dst); err != nil {
				t.Fatal(err)
			}
			got := []int{int(dst[1][0])}
			for c := range channels {
				got = append(got, int(dst[0][c]))
			}
			for k := range got {
				if d := got[k] - row[k]; d < -3 || d > 3 { // JPEG is lossy
					t.Errorf("%d channels, example %d: %v, want %v", channels, i, got, row)
				}
			}
		}
	}
}

// TestConversions: sixteen bits, transparency, palettes and greys of every decoder type.
func TestConversions(t *testing.T) {
	deep := image.NewGray16(image.Rect(0, 0, 1, 1))
	deep.SetGray16(0, 0, color.Gray16{0x80ff})
	palette := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black, color.RGBA{10, 20, 30, 255}})
	palette.Pix[0] = 1
	cases := []struct {
		name   string
		m      image.Image
		grey   byte
		colour []byte
	}{
		{"sixteen bits", deep, 0x80, []byte{0x80, 0x80, 0x80}},
		{"transparent", filled(1, 1, color.NRGBA{100, 100, 100, 51}), 100, []byte{100, 100, 100}},
		{"palette", palette, 18, []byte{10, 20, 30}},
		{"grey", filled(1, 1, color.Gray{77}), 77, []byte{77, 77, 77}},
		{"green", filled(1, 1, color.NRGBA{0, 255, 0, 255}), 150, []byte{0, 255, 0}},
	}
	for _, c := range cases {
		path := filepath.Join(write(t, map[string][]byte{"x.png": pngBytes(t, c.m)}), "x.png")
		for channels, want := range map[int][]byte{1: {c.grey}, 3: c.colour} {
			if got, err := readPicture(path, channels); err != nil || !bytes.Equal(got.Pix, want) {
				t.Errorf("%s, %d channels: %v, %v; want %v", c.name, channels, got, err, want)
			}
		}
	}
}

// TestClassNames: a folder that lacks a class numbers the others as told, and one that has
// another numbers its own.
func TestClassNames(t *testing.T) {
	ok := pngBytes(t, filled(2, 3, color.Black))
	names := []string{"ant", "bee", "cat"}
	for _, c := range []struct {
		files map[string][]byte
		want  []string
		last  byte
	}{
		{map[string][]byte{"p/ant/x.png": ok, "p/cat/x.png": ok}, names, 2},
		{map[string][]byte{"p/ant/x.png": ok, "p/bee/x.png": ok, "p/cat/x.png": ok}, names, 2},
		{map[string][]byte{"p/ant/x.png": ok, "p/dog/x.png": ok}, []string{"ant", "dog"}, 1},
	} {
		ds, err := openPictures(c.files, t, 3, Options{ClassNames: names})
		if err != nil {
			t.Fatal(err)
		}
		dst := ds.Buffers(1)
		if err := ds.Example(0, ds.Len()-1, dst); err != nil {
			t.Fatal(err)
		}
		if dst[1][0] != c.last || !slices.Equal(ds.Classes(), c.want) {
			t.Errorf("classes %v, last label %d; want %v, %d", ds.Classes(), dst[1][0], c.want, c.last)
		}
	}
}

// bomb is a small PNG that claims rows x cols pixels.
func bomb(t testing.TB, rows, cols uint32) []byte {
	b := pngBytes(t, filled(1, 1, color.Black))
	binary.BigEndian.PutUint32(b[16:], cols)
	binary.BigEndian.PutUint32(b[20:], rows)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestBadFolders(t *testing.T) {
	ok := pngBytes(t, filled(2, 3, color.Black))
	cases := []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"none", map[string][]byte{"q/x": nil}, []string{"p: no such folder in "}},
		{"a file", map[string][]byte{"p": nil}, []string{"p: no such folder in ", "expected a folder, found a file"}},
		{"empty", map[string][]byte{"p/.x": nil}, []string{"an empty folder: expected one sub-folder a class"}},
		{"no classes", map[string][]byte{"p/a.png": ok}, []string{"a.png: not a folder: expected one sub-folder a class"}},
		{"empty class", map[string][]byte{"p/a/x.png": ok, "p/b/.x": nil}, []string{filepath.Join("p", "b") + ": a class without pictures"}},
		{"not a picture", map[string][]byte{"p/a/x.webp": ok}, []string{"x.webp: not a picture: expected one of .png .jpg .jpeg"}},
		{"text", map[string][]byte{"p/a/x.png": []byte("hello")}, []string{"x.png: unreadable picture: image: unknown format: expected PNG or JPEG"}},
		{"cut", map[string][]byte{"p/a/x.png": ok[:len(ok)-20]}, []string{"x.png: unreadable picture: png: invalid format: unexpected EOF"}},
		{"bomb", map[string][]byte{"p/a/x.png": bomb(t, 1<<20, 1<<20)}, []string{"x.png: picture of a size out of bounds: expected 1 to 67108864 pixels, found 1048576 x 1048576"}},
		{"sizes", map[string][]byte{"p/a/x.png": pngBytes(t, filled(4, 4, color.Black))}, []string{"x.png: example 0", "expected row:2 col:3 channel:3, found row:4 col:4 channel:3; fix: declare the sizes found"}},
		{"classes", map[string][]byte{"p/a/x.png": ok, "p/b/x.png": ok, "p/c/x.png": ok}, []string{`more classes than declared: expected at most 2, found 3, the last "c"`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := openPictures(c.files, t, 3, Options{Classes: 2, Search: []string{}})
			fails(t, err, c.want...)
		})
	}
}

// TestLaterPictureIsBad: what the first example does not show is met where it is read.
func TestLaterPictureIsBad(t *testing.T) {
	ok := pngBytes(t, filled(2, 3, color.Black))
	ds, err := openPictures(map[string][]byte{"p/a/1.png": ok, "p/a/2.png": ok[:40], "p/a/3.png": ok}, t, 1, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := openLoader(t, ds, LoaderOptions{Batch: 3})
	_, err = l.Next()
	fails(t, err, filepath.Join("p", "a", "2.png"), "unreadable picture")
}

// TestCacheHoldsItsBudget: what fits is read once, the rest again, with the same result.
func TestCacheHoldsItsBudget(t *testing.T) {
	files := map[string][]byte{}
	for _, name := range []string{"1", "2", "3", "4"} {
		files["p/a/"+name+".png"] = pngBytes(t, filled(2, 3, color.Gray{name[0]}))
	}
	for _, c := range []struct {
		budget int64
		kept   int
	}{{-1, 0}, {0, 4}, {17, 2}} {
		ds, err := openPictures(files, t, 1, Options{CacheBytes: c.budget})
		if err != nil {
			t.Fatal(err)
		}
		first := take(t, openLoader(t, ds, LoaderOptions{Batch: 4, Workers: 1}), 1)
		path := ds.src.where(0)
		root := filepath.Dir(path[:len(path)-len(": example 0")])
		if again := take(t, openLoader(t, ds, LoaderOptions{Batch: 4}), 1); again[0] != first[0] {
			t.Errorf("budget %d: %v, then %v", c.budget, first, again)
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		kept := 0
		for i := range 4 {
			if ds.Example(0, i, ds.Buffers(1)) == nil {
				kept++
			}
		}
		if kept != c.kept {
			t.Errorf("budget %d: %d pictures kept, want %d", c.budget, kept, c.kept)
		}
	}
}
