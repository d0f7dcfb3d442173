package data

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitc/runtime/rng"
	"vitc/runtime/safetensors"
)

// resampleFile holds pictures and what torchvision 0.29 with Pillow 13.0 makes of them; see the
// script beside it.
const resampleFile = "testdata/resample.safetensors"

// TestStagesEqualTorchvision compares every byte: the stages promise the reference's own.
func TestStagesEqualTorchvision(t *testing.T) {
	f, err := safetensors.Open(resampleFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	compared := 0
	for _, info := range f.Tensors() {
		source, rest, ok := strings.Cut(info.Name, ".")
		if !ok {
			continue
		}
		got, want := throughStage(t, tensorImage(t, f, source), rest), tensorImage(t, f, info.Name)
		if got.sizes() != want.sizes() || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s of %s: %s, want %s; %d bytes differ", rest, source, got.sizes(), want.sizes(), differ(got.Pix, want.Pix))
		}
		compared++
	}
	if compared < 70 {
		t.Errorf("%d cases compared", compared)
	}
}

// throughStage applies the stage that a case's name gives: resize.8.bicubic.
func throughStage(t *testing.T, m *Image, name string) *Image {
	t.Helper()
	parts := strings.Split(name, ".")
	var size int
	if _, err := fmt.Sscan(parts[1], &size); err != nil {
		t.Fatal(err)
	}
	call := Call{Name: parts[0], Args: []Arg{{"size", size}}}
	if len(parts) > 2 {
		call.Args = append(call.Args, Arg{"filter", parts[2]})
	}
	stages, err := bindStages([]Call{call}, rng.New(0))
	if err != nil {
		t.Fatal(err)
	}
	return stages[0].apply(m, rng.New(0).Stream())
}

func tensorImage(t *testing.T, f *safetensors.File, name string) *Image {
	t.Helper()
	info, _ := f.Lookup(name)
	pix, err := f.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return &Image{info.Shape[0], info.Shape[1], info.Shape[2], pix}
}

func differ(a, b []byte) int {
	n := 0
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// TestEndlessAspect: a line of pixels cannot be resized to gigabytes.
func TestEndlessAspect(t *testing.T) {
	stages, err := bindStages([]Call{{"resize", []Arg{{"", maxSize}}}}, rng.New(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = applied(stages, newImage(1, 1<<16, 1), "line.png", 0, 0); err == nil || !strings.Contains(err.Error(), "line.png: the picture is too long for stage resize") {
		t.Errorf("error %v", err)
	}
}

// TestPreparer follows a file through a declared data block.
func TestPreparer(t *testing.T) {
	decl := Decl{Name: "photos", Fields: []Field{{"image", U8, []Dim{{"row", 4}, {"col", 4}, {"channel", 3}}}},
		Stages: []Call{{"resize", []Arg{{"", 4}}}, {"crop", []Arg{{"", 4}}}}}
	p, err := NewPreparer(decl)
	if err != nil {
		t.Fatal(err)
	}
	gradient := image.NewNRGBA(image.Rect(0, 0, 12, 8))
	for i := range gradient.Pix {
		gradient.Pix[i] = byte(5 * i)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.png"), pngBytes(t, gradient), 0o666); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, p.Field().Bytes())
	if err := p.Picture(filepath.Join(dir, "a.png"), dst); err != nil {
		t.Fatal(err)
	}
	m, err := readPicture(filepath.Join(dir, "a.png"), 3)
	if err != nil {
		t.Fatal(err)
	}
	bilinear, _ := filterNamed("bilinear")
	if want := centred(scaled(m, 4, bilinear), 4); !bytes.Equal(dst, want.Pix) {
		t.Errorf("prepared %v, want %v", dst, want.Pix)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.png"), []byte("no picture"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := p.Picture(filepath.Join(dir, "b.png"), dst); err == nil || !strings.Contains(err.Error(), "b.png: unreadable picture") {
		t.Errorf("error %v", err)
	}
	decl.Fields = []Field{{"label", I32, nil}}
	if _, err := NewPreparer(decl); err == nil || !strings.Contains(err.Error(), "no field for pictures") {
		t.Errorf("error %v", err)
	}
}
