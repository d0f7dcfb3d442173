package interp

import (
	"fmt"

	"vitc/ir"
)

// FromBytes reads a dense, row-major, little-endian buffer of the type. Real is read as f32,
// and any byte of a bool but 0 as true.
func FromBytes(t ir.Type, b []byte) (*Tensor, error) {
	if len(b) != t.Bytes() {
		return nil, fmt.Errorf("%s is %d bytes, found %d", t, t.Bytes(), len(b))
	}
	x := New(t)
	size := t.DType.Bytes()
	if size == 0 {
		return nil, fmt.Errorf("dtype %s has no bytes", t.DType)
	}
	for i := range x.F {
		x.F[i] = t.DType.Get(b[i*size:])
	}
	return x, nil
}

// Bytes is the inverse of FromBytes; elements that are not exact in the dtype are rounded.
func (t *Tensor) Bytes() []byte {
	d := t.Type.DType
	size := d.Bytes()
	b := make([]byte, len(t.F)*size)
	for i, x := range t.F {
		d.Put(b[i*size:], d.Round(x))
	}
	return b
}
