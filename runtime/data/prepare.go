package data

import (
	"vitc/runtime/fault"
	"vitc/runtime/rng"
)

// Preparer makes inputs of a model from picture files of any place, as a data block's stages
// make them of its source's. It may be used from several goroutines.
type Preparer struct {
	layout *layout
	stages []boundStage
	field  Field
}

// NewPreparer checks a data block, whose source is not read. A stage that draws does so as for
// the first example of the first pass under seed 0: equal files give equal bytes.
func NewPreparer(decl Decl) (*Preparer, error) {
	l, err := layOut(decl)
	if err != nil {
		return nil, err
	}
	if l.image < 0 {
		return nil, &fault.Error{Where: "data " + decl.Name, Msg: "no field for pictures", Expected: "image: u8[row: 224, col: 224, channel: 3]"}
	}
	p := &Preparer{layout: l, field: decl.Fields[l.image]}
	p.stages, err = bindStages(decl.Stages, rng.New(0).FoldString("stage"))
	return p, err
}

// Field is the field that pictures fill.
func (p *Preparer) Field() Field { return p.field }

// Picture reads a PNG or JPEG file, applies the stages and writes one example of the field into
// dst.
func (p *Preparer) Picture(path string, dst []byte) error {
	m, err := readPicture(path, p.layout.channels)
	if err != nil {
		return err
	}
	if m, err = applied(p.stages, m, path, 0, 0); err != nil {
		return err
	}
	if err := p.layout.check(path, m); err != nil {
		return err
	}
	p.layout.putImage(dst, m)
	return nil
}
