package stablehlo

import "math"

// cast converts as ir.Convert does. What StableHLO leaves to the implementation is spelled out:
// a float that no integer of the type stands for.
func cast(e *emitter, x value, to elem) value {
	switch {
	case to == i1:
		return e.compare("NE", x, e.constant(x.tensor, 0))
	case x.elem.float() && !to.float():
		return e.truncate(e.convert(x, f32), to)
	}
	return e.convert(x, to)
}

// truncate rounds an f32 towards zero and saturates; NaN gives 0. The largest integers of 32
// bits are no floats: what is at least the power of two above is set apart.
func (e *emitter) truncate(x value, to elem) value {
	least, most := lowest(to), highest(to)
	inside := math.Nextafter32(float32(most+1), 0)
	bound := func(name string, y value, at float64) value { return e.binary(name, y, e.constant(x.tensor, at)) }
	whole := e.convert(bound("minimum", bound("maximum", x, least), float64(inside)), to)
	above := e.compare("GE", x, e.constant(x.tensor, most+1))
	whole = e.choose(above, e.constant(whole.tensor, most), whole)
	return e.choose(e.compare("NE", x, x), e.constant(whole.tensor, 0), whole)
}
