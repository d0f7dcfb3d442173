package ir

import "fmt"

// Source rows make values from positions alone.

// IotaAttrs names the dim whose position iota gives.
type IotaAttrs struct{ Dim int }

// RngAttrs gives each dim's stride in the draw's counter: position·stride summed over the
// dims, row-major over the axes sorted by name, so that neither dim order nor partition
// changes a bit. Strides are those of the whole tensor, whatever part of it is drawn.
type RngAttrs struct{ Strides []int }

func sourceRows() []*Row {
	return []*Row{
		{Name: "iota", Class: Source, In: 0, Out: 1, Attrs: func() any { return &IotaAttrs{} }, Index: pointIndex,
			Counts: func(op *Op) []int { return []int{op.Attrs.(*IotaAttrs).Dim} },
			Types: func(op *Op, want []Type) ([]Type, error) {
				if len(want) != 1 || want[0].DType != I32 && want[0].DType != U32 {
					return nil, fmt.Errorf("iota needs an i32 or u32 type")
				}
				if d := op.Attrs.(*IotaAttrs).Dim; d < 0 || d >= want[0].Rank() {
					return nil, fmt.Errorf("iota has no dim %d in %s", d, want[0])
				}
				return want, nil
			}},
		// rng_bits key, at, from..: the first word of Threefry-2x32 (Salmon et al., 2011; 20 rounds)
		// under key u32[2] of the counter (low word of p, high word of p + at), p the position. What
		// is drawn begins at position from.. of the tensor, one u32 a dim; without them, at 0.
		{Name: "rng_bits", Class: Source, In: -1, Out: 1, Attrs: func() any { return &RngAttrs{} }, Flops: 80,
			Index: func(op *Op) Rule {
				r := PointwiseRule(nil, op.Out[0].Type)
				k := len(r.Factors)
				r.Factors = append(r.Factors, Factor{Name: factorNames[k%len(factorNames)], Size: 2, Kind: Whole})
				r.In = append([]Term{{DimFactors{k}}}, make([]Term, len(op.In)-1)...)
				return r
			},
			Counts: func(op *Op) []int { return upTo(op.Out[0].Type.Rank()) }, Types: rngTypes},
	}
}

// upTo lists the numbers below n.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Drawn is the position at which what an rng_bits draws begins: nil, or one value a dim.
func Drawn(op *Op) []*Value { return op.In[2:] }

func rngTypes(op *Op, want []Type) ([]Type, error) {
	if len(want) != 1 || want[0].DType != U32 {
		return nil, fmt.Errorf("rng_bits needs a u32 type")
	}
	if n := len(op.Attrs.(*RngAttrs).Strides); n != want[0].Rank() {
		return nil, fmt.Errorf("rng_bits has %d strides for %s", n, want[0])
	}
	if n := len(op.In); n != 2 && n != 2+want[0].Rank() {
		return nil, fmt.Errorf("rng_bits takes a key, a word and nothing, or where to begin along each dim of %s; found %d operands", want[0], n)
	}
	if k := op.In[0].Type; k.DType != U32 || k.Rank() != 1 || k.Dims[0].Size != 2 {
		return nil, fmt.Errorf("rng_bits wants a key of u32[2], found %s", k)
	}
	for _, v := range op.In[1:] {
		if at := v.Type; at.DType != U32 || at.Rank() != 0 {
			return nil, fmt.Errorf("rng_bits wants a u32[] beside its key, found %s", at)
		}
	}
	return want, nil
}
