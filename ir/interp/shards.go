package interp

import (
	"fmt"
	"math"

	"vitc/ir"
)

// Split cuts a whole tensor to what a device holds of it by its local type. Padding is NaN, or the
// largest number: nothing may come of it.
func Split(m ir.Mesh, device int, x *Tensor, local ir.Type) *Tensor {
	y := x
	for i, d := range local.Dims {
		axes := local.Shard.Of(i)
		if len(axes) == 0 {
			continue
		}
		t := y.Type
		t.Dims = append([]ir.Dim(nil), t.Dims...)
		t.Dims[i].Size = d.Size * m.Size(axes...)
		full := New(t)
		for k := range full.F {
			full.F[k] = padding(t.DType)
		}
		set(full, i, 0, y)
		t.Dims = append([]ir.Dim(nil), t.Dims...)
		t.Dims[i].Size = d.Size
		y = New(t)
		cut(full, i, m.Place(device, axes), y)
	}
	return &Tensor{local, y.F}
}

func padding(d ir.DType) float64 {
	if d.Float() {
		return math.NaN()
	}
	return d.Round(math.MaxUint32)
}

// Join puts a value together from what the devices hold of it. It fails where two devices that
// should hold the same differ.
func Join(m ir.Mesh, parts []*Tensor, global ir.Type) (*Tensor, error) {
	whole, known := New(global), make([]bool, global.Size())
	places := New(ir.T(ir.U32, global.Dims...))
	for k := range places.F {
		places.F[k] = float64(k)
	}
	for d, x := range parts {
		at := Split(m, d, places, x.Type.As(ir.U32))
		for k, f := range at.F {
			p := int(f)
			if p >= len(known) {
				continue
			}
			if was := whole.F[p]; known[p] && was != x.F[k] && (was == was || x.F[k] == x.F[k]) {
				return nil, fmt.Errorf("device %d holds %g at %d of %s, another one %g", d, x.F[k], p, global, was)
			}
			whole.F[p], known[p] = x.F[k], true
		}
	}
	return whole, nil
}

// RunWhole evaluates a partitioned function on whole arguments, and puts its results together to
// the types given.
func RunWhole(m ir.Mesh, f *ir.Func, args []*Tensor, results []ir.Type, o Options) ([]*Tensor, error) {
	in := make([][]*Tensor, m.Devices())
	for d := range in {
		for i, p := range f.Body.Params {
			in[d] = append(in[d], Split(m, d, args[i], p.Type))
		}
	}
	held, err := RunMesh(m, f, in, o)
	if err != nil {
		return nil, err
	}
	out := make([]*Tensor, len(results))
	for i, t := range results {
		var parts []*Tensor
		for d := range held {
			parts = append(parts, &Tensor{f.Body.Yield[i].Type, held[d][i].F})
		}
		if out[i], err = Join(m, parts, t); err != nil {
			return nil, fmt.Errorf("result %d: %w", i+1, err)
		}
	}
	return out, nil
}
