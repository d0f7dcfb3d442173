package data

import (
	"fmt"
	"math"
	"strings"

	"vitc/runtime/fault"
	"vitc/runtime/rng"
)

// Stage is a host function that a program may name in `stages`: one row of a table.
type Stage struct {
	Name   string
	Params []Param
	make   func(b bound) (transform, error)
}

// transform is a stage with its arguments. It draws only from s, and leaves its argument
// as it is. It gives nil where the result would have more than maxPixels.
type transform func(m *Image, s *rng.Stream) *Image

// maxSize bounds the sides of a resized image.
const maxSize = 1 << 13

// stages is the table. Every stage works on the field `image`.
var stages = []Stage{
	{"decode", []Param{{"size", Int, 0}}, makeDecode},
	{"inception_crop", []Param{{"size", Int, nil}, {"least", Float, 0.05}}, makeInceptionCrop},
	{"central_crop", []Param{{"size", Int, nil}, {"keep", Float, 0.875}}, makeCentralCrop},
	{"resize", []Param{{"size", Int, nil}, {"filter", String, "bilinear"}}, makeResize},
	{"stretch", []Param{{"size", Int, nil}, {"filter", String, "bilinear"}}, makeStretch},
	{"crop", []Param{{"size", Int, nil}}, makeCrop},
	{"flip", nil, makeFlip},
	{"shift", []Param{{"by", Int, nil}}, makeShift},
}

// laterStages are in the library's signatures but not yet here.
var laterStages = []string{"rand_augment", "tokenize", "relabel"}

// Stages lists the stages there are, for what must agree with them.
func Stages() []Stage { return stages }

// makeDecode resizes to a square, aspect not kept; size 0 leaves the sizes: pictures are
// decoded as they are read.
func makeDecode(b bound) (transform, error) {
	size := b.int("size")
	if size == 0 {
		return func(m *Image, _ *rng.Stream) *Image { return m }, nil
	}
	resize := func(m *Image, _ *rng.Stream) *Image { return resized(m, whole(m), size) }
	return resize, between("size", size, 1, maxSize)
}

func makeInceptionCrop(b bound) (transform, error) {
	size, least := b.int("size"), b.float("least")
	crop := func(m *Image, s *rng.Stream) *Image { return resized(m, inceptionArea(m, least, s), size) }
	if err := between("size", size, 1, maxSize); err != nil {
		return nil, err
	}
	return crop, share("least", least)
}

// makeCentralCrop takes the middle square of `keep` of the short side, rounded.
func makeCentralCrop(b bound) (transform, error) {
	size, keep := b.int("size"), b.float("keep")
	crop := func(m *Image, _ *rng.Stream) *Image {
		side := math.Round(keep * float64(min(m.Rows, m.Cols)))
		return resized(m, middle(m, int(side)), size)
	}
	if err := between("size", size, 1, maxSize); err != nil {
		return nil, err
	}
	return crop, share("keep", keep)
}

// makeResize scales the short side to size, the aspect kept.
func makeResize(b bound) (transform, error) {
	return scaling(b, func(m *Image, size int, f filter) *Image { return scaled(m, size, f) })
}

// makeStretch scales to a square, whatever the aspect.
func makeStretch(b bound) (transform, error) {
	return scaling(b, func(m *Image, size int, f filter) *Image { return resampled(m, size, size, f) })
}

func scaling(b bound, scale func(m *Image, size int, f filter) *Image) (transform, error) {
	size, name := b.int("size"), b.text("filter")
	f, ok := filterNamed(name)
	if !ok {
		return nil, &fault.Error{Where: "filter", Msg: "no such filter", Expected: "one of " + strings.Join(filterNames(), ", "), Found: name}
	}
	return func(m *Image, _ *rng.Stream) *Image { return scale(m, size, f) }, between("size", size, 1, maxSize)
}

// makeCrop takes the middle; a smaller picture is put into the middle of a black one.
func makeCrop(b bound) (transform, error) {
	size := b.int("size")
	crop := func(m *Image, _ *rng.Stream) *Image { return centred(m, size) }
	return crop, between("size", size, 1, maxSize)
}

// makeFlip mirrors every other image, by a draw.
func makeFlip(bound) (transform, error) {
	return func(m *Image, s *rng.Stream) *Image {
		if s.Bool() {
			return flipped(m)
		}
		return m
	}, nil
}

// makeShift moves by a whole number of pixels, uniform in [-by, by] along each axis.
func makeShift(b bound) (transform, error) {
	by := b.int("by")
	shift := func(m *Image, s *rng.Stream) *Image {
		down := s.IntN(2*by+1) - by
		right := s.IntN(2*by+1) - by
		return shifted(m, down, right)
	}
	return shift, between("by", by, 0, maxSize)
}

func between(name string, v, least, most int) error {
	if v < least || v > most {
		return &fault.Error{Where: name, Msg: "out of bounds", Expected: fmt.Sprintf("%d to %d", least, most), Found: fmt.Sprint(v)}
	}
	return nil
}

// share demands a number of (0, 1]; NaN is none.
func share(name string, v float64) error {
	if !(v > 0 && v <= 1) {
		return &fault.Error{Where: name, Msg: "out of bounds", Expected: "more than 0, at most 1", Found: fmt.Sprint(v)}
	}
	return nil
}

// boundStage is a stage of a data set with its arguments and the key of its draws.
type boundStage struct {
	name  string
	apply transform
	key   rng.Key
}

// bindStages looks the calls up. Two calls of one stage draw apart, and a stage's draws do
// not depend on which others there are.
func bindStages(calls []Call, key rng.Key) ([]boundStage, error) {
	uses := map[string]uint64{}
	bound := make([]boundStage, len(calls))
	for i, call := range calls {
		row, err := stageRow(call.Name)
		if err != nil {
			return nil, err
		}
		args, err := bind("stage", call, row.Params)
		if err != nil {
			return nil, err
		}
		apply, err := row.make(args)
		if err != nil {
			return nil, &fault.Error{Where: "stage " + signature(row.Name, row.Params), Msg: "bad argument", Err: err}
		}
		bound[i] = boundStage{row.Name, apply, key.FoldString(row.Name).Fold(uses[row.Name])}
		uses[row.Name]++
	}
	return bound, nil
}

// applied takes an image through stages, in a pass, as example i.
func applied(stages []boundStage, m *Image, where string, pass, i uint64) (*Image, error) {
	for _, s := range stages {
		from := m
		if m = s.apply(m, s.key.Fold(pass).Fold(i).Stream()); m == nil {
			return nil, &fault.Error{Where: where, Msg: "the picture is too long for stage " + s.name, Found: from.sizes(), Fix: "crop it, or stretch it to a square"}
		}
	}
	return m, nil
}

func stageRow(name string) (Stage, error) {
	names := make([]string, len(stages))
	for i, row := range stages {
		if row.Name == name {
			return row, nil
		}
		names[i] = row.Name
	}
	return Stage{}, unknown("stage", name, names, laterStages)
}

// unknown tells a name that comes in a later version from one that does not exist.
func unknown(what, name string, names, later []string) error {
	e := &fault.Error{Where: what + " " + name, Msg: "no such " + what, Expected: "one of " + strings.Join(names, ", ")}
	for _, l := range later {
		if l == name {
			e.Msg, e.Err = "this version of vitc cannot run it yet", ErrLater
			e.Fix = "leave it out"
		}
	}
	return e
}
