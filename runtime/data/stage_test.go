package data

import (
	"bytes"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/runtime/rng"
)

// imageGen draws small images of 1 or 3 channels.
var imageGen = rapid.Custom(func(t *rapid.T) *Image {
	m := newImage(rapid.IntRange(1, 9).Draw(t, "rows"), rapid.IntRange(1, 9).Draw(t, "cols"), rapid.SampledFrom([]int{1, 3}).Draw(t, "channels"))
	for i := range m.Pix {
		m.Pix[i] = rapid.Byte().Draw(t, "pixel")
	}
	return m
})

func (m *Image) same(o *Image) bool {
	return m.Rows == o.Rows && m.Cols == o.Cols && m.Channels == o.Channels && bytes.Equal(m.Pix, o.Pix)
}

// pixel is a pixel's first channel, or 0 outside.
func (m *Image) pixel(row, col int) byte {
	if row < 0 || row >= m.Rows || col < 0 || col >= m.Cols {
		return 0
	}
	return m.Pix[m.at(row, col)]
}

func TestFlippedMirrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := imageGen.Draw(t, "image")
		f := flipped(m)
		for row := range m.Rows {
			for col := range m.Cols {
				if f.pixel(row, col) != m.pixel(row, m.Cols-1-col) {
					t.Fatalf("row %d, col %d", row, col)
				}
			}
		}
		if !flipped(f).same(m) {
			t.Fatal("twice is not the image")
		}
	})
}

func TestShiftedMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := imageGen.Draw(t, "image")
		down, right := rapid.IntRange(-12, 12).Draw(t, "down"), rapid.IntRange(-12, 12).Draw(t, "right")
		s := shifted(m, down, right)
		for row := range m.Rows {
			for col := range m.Cols {
				if got, want := s.pixel(row, col), m.pixel(row-down, col-right); got != want {
					t.Fatalf("row %d, col %d: %d, want %d", row, col, got, want)
				}
			}
		}
	})
}

// triangle resizes one line by the definition: the weight of source pixel j for target
// pixel i falls linearly from its centre to zero at max(1, n/size) source pixels.
func triangle(line []float64, size int) []float64 {
	out := make([]float64, size)
	scale := float64(len(line)) / float64(size)
	reach := max(1, scale)
	for i := range out {
		centre, sum := (float64(i)+0.5)*scale, 0.0
		for j, v := range line {
			w := max(0, 1-math.Abs(float64(j)+0.5-centre)/reach)
			out[i] += w * v
			sum += w
		}
		out[i] /= sum
	}
	return out
}

// triangle2 resizes one channel of an image to size x size.
func triangle2(m *Image, channel, size int) []float64 {
	rows := make([][]float64, m.Rows)
	for row := range rows {
		line := make([]float64, m.Cols)
		for col := range line {
			line[col] = float64(m.Pix[m.at(row, col)+channel])
		}
		rows[row] = triangle(line, size)
	}
	out := make([]float64, size*size)
	for col := range size {
		line := make([]float64, m.Rows)
		for row := range line {
			line[row] = rows[row][col]
		}
		for row, v := range triangle(line, size) {
			out[row*size+col] = v
		}
	}
	return out
}

func TestResizedIsTheTriangleFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := imageGen.Draw(t, "image")
		size := rapid.IntRange(1, 12).Draw(t, "size")
		got := resized(m, whole(m), size)
		for channel := range m.Channels {
			for i, want := range triangle2(m, channel, size) {
				if v := float64(got.Pix[i*m.Channels+channel]); math.Abs(v-want) > 1 {
					t.Fatalf("pixel %d, channel %d: %g, want %.2f", i, channel, v, want)
				}
			}
		}
	})
}

// TestShrinkingIsAntialiased: of alternating lines nothing but grey may remain.
func TestShrinkingIsAntialiased(t *testing.T) {
	m := newImage(64, 64, 1)
	for i := range m.Pix {
		m.Pix[i] = byte(255 * (i / 64 % 2))
	}
	for i, v := range resized(m, whole(m), 8).Pix {
		if v < 115 || v > 140 {
			t.Errorf("pixel %d is %d", i, v)
		}
	}
}

func TestResizedReadsOnlyItsArea(t *testing.T) {
	m := newImage(6, 6, 1)
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for row := range 3 {
		for col := range 3 {
			m.Pix[m.at(row+2, col+1)] = 7
		}
	}
	for _, size := range []int{2, 3, 5} {
		for i, v := range resized(m, area{2, 1, 3, 3}, size).Pix {
			if v != 7 {
				t.Errorf("size %d, pixel %d: %d", size, i, v)
			}
		}
	}
}

func TestCentralCrop(t *testing.T) {
	m := newImage(6, 8, 1)
	for i := range m.Pix {
		m.Pix[i] = byte(i)
	}
	stage, err := bindStages([]Call{{"central_crop", []Arg{{"", 3}, {"keep", 0.5}}}}, rng.New(0))
	if err != nil {
		t.Fatal(err)
	}
	got := stage[0].apply(m, nil)
	want := []byte{10, 11, 12, 18, 19, 20, 26, 27, 28}
	if got.Rows != 3 || got.Cols != 3 || !bytes.Equal(got.Pix, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDecodeResizes(t *testing.T) {
	for size, want := range map[int]string{0: "row:6 col:8 channel:3", 4: "row:4 col:4 channel:3"} {
		stage, err := bindStages([]Call{{"decode", []Arg{{"size", size}}}}, rng.New(0))
		if err != nil {
			t.Fatal(err)
		}
		if got := stage[0].apply(newImage(6, 8, 3), nil).sizes(); got != want {
			t.Errorf("size %d: %s, want %s", size, got, want)
		}
	}
}

// TestInceptionAreas: drawn parts lie inside, and of a square image have the promised
// share and shape, up to rounding of the sides.
func TestInceptionAreas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Image{Rows: rapid.IntRange(1, 300).Draw(t, "rows"), Cols: rapid.IntRange(1, 300).Draw(t, "cols")}
		least := rapid.Float64Range(0.01, 1).Draw(t, "least")
		a := inceptionArea(m, least, rng.New(rapid.Uint64().Draw(t, "seed")).Stream())
		if a.rows < 1 || a.cols < 1 || a.row < 0 || a.col < 0 || a.row+a.rows > m.Rows || a.col+a.cols > m.Cols {
			t.Fatalf("%+v outside of %s", a, m.sizes())
		}
		rows, cols := float64(a.rows), float64(a.cols)
		if full := min(m.Rows, m.Cols); a == middle(m, full) {
			return
		}
		if (rows+0.5)*(cols+0.5) < least*float64(m.Rows*m.Cols) {
			t.Fatalf("%+v is less than %g of %s", a, least, m.sizes())
		}
		if (cols+0.5)/(rows-0.5) < minAspect || (cols-0.5)/(rows+0.5) > maxAspect {
			t.Fatalf("%+v has a ratio out of bounds", a)
		}
	})
}

func TestInceptionAreasVary(t *testing.T) {
	m := &Image{Rows: 100, Cols: 100}
	shares, s := 0.0, rng.New(4).Stream()
	const n = 4000
	for range n {
		a := inceptionArea(m, 0.05, s)
		shares += float64(a.rows*a.cols) / 1e4
	}
	// A share a fits for all ratios up to 3/4, above for ln(1/a)/ln(4/3) of them: the mean
	// of what fits is 0.4627.
	if mean := shares / n; math.Abs(mean-0.4627) > 0.012 {
		t.Errorf("mean share %.3f", mean)
	}
	if got := inceptionArea(&Image{Rows: 1, Cols: 500}, 0.9, s); got != (area{0, 249, 1, 1}) {
		t.Errorf("a line gives %+v, want its middle", got)
	}
}

// TestDrawsAreByPassAndExample: an augmented example depends on seed, pass and index, on
// nothing else: not on what was read before, nor on other stages.
func TestDrawsAreByPassAndExample(t *testing.T) {
	read := func(ds *Dataset, pass int64, i int) string {
		dst := ds.Buffers(1)
		if err := ds.Example(pass, i, dst); err != nil {
			t.Fatal(err)
		}
		return string(dst[0])
	}
	flip := []Call{{Name: "flip"}}
	a := counting(t, 40, flip, ShuffleAll, 5)
	b := counting(t, 40, []Call{shiftCall(0), {Name: "flip"}}, ShuffleNone, 5)
	passes, seeds := 0, 0
	other := counting(t, 40, flip, ShuffleAll, 6)
	for i := range 40 {
		first := read(a, 3, 39-i)
		if again := read(b, 3, 39-i); again != first {
			t.Errorf("example %d: %v alone, %v beside another stage", 39-i, []byte(first), []byte(again))
		}
		if read(a, 4, 39-i) != first {
			passes++
		}
		if read(other, 3, 39-i) != first {
			seeds++
		}
	}
	if passes < 8 || passes > 32 || seeds < 8 || seeds > 32 {
		t.Errorf("of 40 flips %d differ in the next pass, %d with another seed; want about 20", passes, seeds)
	}
}

func TestTwoCallsDrawApart(t *testing.T) {
	stages, err := bindStages([]Call{{Name: "flip"}, {Name: "flip"}}, rng.New(0))
	if err != nil {
		t.Fatal(err)
	}
	if stages[0].key == stages[1].key {
		t.Error("two flips share a key: they would cancel")
	}
}

// TestLibraryDeclaresTheStages: the library's signatures are those of the table, and what it
// declares beside them comes later.
func TestLibraryDeclaresTheStages(t *testing.T) {
	text, err := os.ReadFile("../../stdlib/augment.vit")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, row := range Stages() {
		table[row.Name] = signature(row.Name, row.Params)
	}
	for line := range strings.Lines(string(text)) {
		declared, ok := strings.CutPrefix(strings.TrimSpace(line), "host ")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(declared, "(")
		if slices.Contains(laterStages, name) {
			continue
		}
		if table[name] != declared {
			t.Errorf("the library declares %s, the table %q", declared, table[name])
		}
		delete(table, name)
	}
	for _, s := range table {
		t.Errorf("the library lacks host %s", s)
	}
}

// TestStagesLeaveTheirImage: sources hand out views of what they keep.
func TestStagesLeaveTheirImage(t *testing.T) {
	args := map[string][]Arg{"inception_crop": {{"", 5}}, "central_crop": {{"", 5}}, "decode": {{"", 5}}, "shift": {{"", 2}},
		"resize": {{"", 5}}, "stretch": {{"", 5}}, "crop": {{"", 5}}}
	rapid.Check(t, func(t *rapid.T) {
		m := imageGen.Draw(t, "image")
		before := bytes.Clone(m.Pix)
		for _, row := range Stages() {
			bound, err := bindStages([]Call{{row.Name, args[row.Name]}}, rng.New(0))
			if err != nil {
				t.Fatal(err)
			}
			bound[0].apply(m, rng.New(rapid.Uint64().Draw(t, "seed")).Stream())
			if !bytes.Equal(before, m.Pix) {
				t.Fatalf("%s changed its image", row.Name)
			}
		}
	})
}
