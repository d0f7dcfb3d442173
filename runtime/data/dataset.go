package data

import (
	"fmt"

	"vitc/runtime/fault"
	"vitc/runtime/rng"
)

// Dataset is an opened data block. It may be used from several goroutines, and needs no
// closing: files are read whole or opened per picture.
type Dataset struct {
	decl   Decl
	layout *layout
	src    source
	stages []boundStage
	order  order
	limit  int // labels are below it, 0: any
}

// Open finds the files of a data block, checks what can be checked without reading all of
// them, and reads the first example to prove that it has the declared sizes.
func Open(decl Decl, o Options) (*Dataset, error) {
	d := &Dataset{decl: decl, limit: o.Classes}
	key := rng.New(o.Seed)
	var err error
	if d.layout, err = layOut(decl); err != nil {
		return nil, err
	}
	if d.stages, err = bindStages(decl.Stages, key.FoldString("stage")); err != nil {
		return nil, err
	}
	if d.src, err = openSource(decl.Source, o, d.layout.channels); err != nil {
		return nil, err
	}
	d.src = renumber(d.src, o.ClassNames)
	if err := d.checkLabels(); err != nil {
		return nil, err
	}
	if err := decl.checkShuffle(); err != nil {
		return nil, err
	}
	d.order = order{key.FoldString("order"), d.Len(), decl.Shuffle}
	if err := d.Example(0, 0, d.Buffers(1)); err != nil {
		return nil, err
	}
	return d, nil
}

// checkLabels compares what the source knows of labels with what is wanted.
func (d *Dataset) checkLabels() error {
	if d.layout.label >= 0 && !d.src.labelled() {
		return &fault.Error{Where: "data " + d.decl.Name + ": source " + d.decl.Source.Name, Msg: "no labels for the field `label`", Fix: "add labels: \"FILE\" to the source"}
	}
	if n := len(d.src.classes()); d.limit > 0 && n > d.limit {
		return &fault.Error{Where: "data " + d.decl.Name, Msg: "more classes than declared", Expected: fmt.Sprintf("at most %d", d.limit),
			Found: fmt.Sprintf("%d, the last %q", n, d.src.classes()[n-1])}
	}
	return nil
}

// Len is the number of examples, at least 1.
func (d *Dataset) Len() int { return d.src.len() }

// Name is the data block's name.
func (d *Dataset) Name() string { return d.decl.Name }

// Fields lists the declared fields.
func (d *Dataset) Fields() []Field { return d.decl.Fields }

// Classes names the labels, by label, where the source does; else nil.
func (d *Dataset) Classes() []string { return d.src.classes() }

// Buffers allocates a buffer a field for n examples.
func (d *Dataset) Buffers(n int) [][]byte {
	list := make([][]byte, len(d.decl.Fields))
	for i, f := range d.decl.Fields {
		list[i] = make([]byte, n*f.Bytes())
	}
	return list
}

// Example writes example i, as the stages augment it in a pass, into a buffer per field.
// Equal arguments give equal bytes.
func (d *Dataset) Example(pass int64, i int, dst [][]byte) error {
	if i < 0 || i >= d.Len() {
		return &fault.Error{Where: "data " + d.decl.Name, Msg: "no such example", Expected: fmt.Sprintf("0 to %d", d.Len()-1), Found: fmt.Sprint(i)}
	}
	if d.layout.label >= 0 {
		label := d.src.label(i)
		if err := d.checkLabel(i, label); err != nil {
			return err
		}
		putLabel(dst[d.layout.label], label)
	}
	if d.layout.image < 0 {
		return nil
	}
	m, err := d.staged(pass, i)
	if err != nil {
		return err
	}
	d.layout.putImage(dst[d.layout.image], m)
	return nil
}

func (d *Dataset) checkLabel(i, label int) error {
	if label >= 0 && (d.limit == 0 || label < d.limit) {
		return nil
	}
	e := &fault.Error{Where: d.src.where(i), Msg: "label out of range", Expected: "0 or more", Found: fmt.Sprint(label)}
	if d.limit > 0 {
		e.Expected = fmt.Sprintf("0 to %d", d.limit-1)
		e.Fix = "give the model as many classes as the data has"
	}
	return e
}

// staged reads an image, applies the stages and checks the sizes.
func (d *Dataset) staged(pass int64, i int) (*Image, error) {
	m, err := d.src.image(i)
	if err != nil {
		return nil, err
	}
	if m, err = applied(d.stages, m, d.src.where(i), uint64(pass), uint64(i)); err != nil {
		return nil, err
	}
	return m, d.layout.check(d.src.where(i), m)
}
