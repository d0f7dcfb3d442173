package ir

import "slices"

// Sharding says how the devices of a mesh hold a value, by the names of the mesh's axes. Every
// axis stands in it once at most; along those that do not stand in it, all devices hold the
// same. Make one with NewSharding; nil is the sharding of a value that is whole everywhere.
type Sharding struct {
	// Dims gives each dim the axes it is cut along, major first: along (x, y), device (i, j)
	// holds block i·|y| + j. Nil, or one entry a dim.
	Dims [][]string `json:"dims,omitempty"`
	// Sum: the value is the sum of what the devices along these axes hold.
	Sum []string `json:"sum,omitempty"`
	// Vary: what devices along these axes hold differs, and has no global meaning.
	Vary []string `json:"vary,omitempty"`
}

// NewSharding makes a sharding in its normal form, nil where it says nothing: shardings that
// mean the same are equal in their fields.
func NewSharding(dims [][]string, sum, vary []string) *Sharding {
	s := &Sharding{Sum: sorted(sum), Vary: sorted(vary)}
	for i, axes := range dims {
		if len(axes) > 0 && s.Dims == nil {
			s.Dims = make([][]string, len(dims))
		}
		if len(axes) > 0 {
			s.Dims[i] = slices.Clone(axes)
		}
	}
	if s.Dims == nil && s.Sum == nil && s.Vary == nil {
		return nil
	}
	return s
}

// sorted is a copy in order, nil if there is none.
func sorted(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return slices.Sorted(slices.Values(names))
}

// Of is the axes of a dim, major first.
func (s *Sharding) Of(dim int) []string {
	if s == nil || s.Dims == nil {
		return nil
	}
	return s.Dims[dim]
}

// Sums is the axes along which devices hold summands.
func (s *Sharding) Sums() []string {
	if s == nil {
		return nil
	}
	return s.Sum
}

// Varies is the axes along which the value has no global meaning.
func (s *Sharding) Varies() []string {
	if s == nil {
		return nil
	}
	return s.Vary
}

// Axes lists every axis that the sharding names, those of the dims first.
func (s *Sharding) Axes() []string {
	if s == nil {
		return nil
	}
	return slices.Concat(slices.Concat(s.Dims...), s.Sum, s.Vary)
}

// Equal reports whether two shardings of values of one rank mean the same.
func (s *Sharding) Equal(t *Sharding) bool {
	if s == nil || t == nil {
		return s == t
	}
	return slices.EqualFunc(s.Dims, t.Dims, slices.Equal[[]string]) && slices.Equal(s.Sum, t.Sum) && slices.Equal(s.Vary, t.Vary)
}

// Sharded is the type with another sharding; sizes stay.
func (t Type) Sharded(s *Sharding) Type {
	t.Shard = s
	return t
}

// dimAxes lists the axes of every dim.
func (t Type) dimAxes() [][]string {
	axes := make([][]string, t.Rank())
	for i := range axes {
		axes[i] = t.Shard.Of(i)
	}
	return axes
}

// WithDim is the type with the axes of one dim replaced.
func (t Type) WithDim(dim int, axes ...string) Type {
	dims := t.dimAxes()
	dims[dim] = axes
	return t.Sharded(NewSharding(dims, t.Shard.Sums(), t.Shard.Varies()))
}

// WithSum is the type with its partial sums along other axes.
func (t Type) WithSum(axes ...string) Type {
	return t.Sharded(NewSharding(t.dimAxes(), axes, t.Shard.Varies()))
}

// WithVary is the type varying along other axes.
func (t Type) WithVary(axes ...string) Type {
	return t.Sharded(NewSharding(t.dimAxes(), t.Shard.Sums(), axes))
}

// Without is the type with some axes gone from its sharding, wherever they stand; sizes stay.
func (t Type) Without(axes ...string) Type {
	if t.Shard == nil {
		return t
	}
	dims := t.dimAxes()
	for i := range dims {
		dims[i] = minus(dims[i], axes)
	}
	return t.Sharded(NewSharding(dims, minus(t.Shard.Sum, axes), minus(t.Shard.Vary, axes)))
}

// minus is the names that are not among others.
func minus(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}
