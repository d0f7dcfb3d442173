package ir

import (
	"fmt"
	"slices"
)

// sums holds the parts that results are in against those of the operands and of contracted
// factors. Integers need no care: their sums wrap around alike in any order.
func (c *cutting) sums(m *Module) error {
	kind := linearity(c.op)
	if err := c.parts(kind); err != nil {
		return err
	}
	var sums []string
	for _, t := range c.in {
		sums = append(sums, minus(t.Shard.Sums(), sums)...)
	}
	contracted := c.contracted()
	if join := joins(c.op); join == "sum" {
		sums = append(sums, contracted...)
	} else if m.local() && len(contracted) > 0 {
		return fmt.Errorf("takes the %s of what each device has along %v, and its type does not say that it varies", join, contracted)
	}
	for i, t := range c.out {
		v := c.op.Out[i]
		if missing := minus(sums, t.Shard.Sums()); len(missing) > 0 {
			return fmt.Errorf("%%%s %s is a sum over %v, which its type does not say", v.Name, v.Type, missing)
		}
		if extra := minus(t.Shard.Sums(), sums); len(extra) > 0 && (kind != Jointly || !c.zero()) {
			return fmt.Errorf("%%%s %s is no sum over %v", v.Name, v.Type, extra)
		}
	}
	return nil
}

// parts: operands are in parts as the row can hand on.
func (c *cutting) parts(kind Linearity) error {
	var first *Type
	for i, t := range c.in {
		v, sums := c.op.In[i], t.Shard.Sums()
		if v.Lit != nil {
			continue
		}
		switch {
		case kind == Opaque && len(sums) > 0:
			return fmt.Errorf("reads parts of a sum, %s, as if they were whole", t)
		case kind == Jointly && first != nil && !slices.Equal(sums, first.Shard.Sums()):
			return fmt.Errorf("mixes %s and %s", *first, t)
		}
		if first == nil {
			first = &c.in[i]
		}
	}
	if kind == Jointly && first != nil && len(first.Shard.Sums()) > 0 {
		return c.literals(*first)
	}
	if kind == Singly {
		return c.disjoint()
	}
	return nil
}

// literals: what is the same on every device is added once for each of them; only zero may be.
func (c *cutting) literals(parts Type) error {
	for _, v := range c.op.In {
		if v.Lit != nil && *v.Lit != 0 {
			return fmt.Errorf("mixes %s and %v, which each device would add", parts, *v.Lit)
		}
	}
	return nil
}

// disjoint: a product of two sums over the same devices is no sum of products, and parts of a sum
// are not what another operand's blocks go with.
func (c *cutting) disjoint() error {
	var seen []string
	for _, t := range c.in {
		sums := t.Shard.Sums()
		if twice := both(sums, seen); len(twice) > 0 {
			return fmt.Errorf("takes a product of sums over %v part by part", twice)
		}
		for _, a := range sums {
			if f, ok := c.owner[a]; ok {
				return fmt.Errorf("reads parts over %s, which cuts the factor %c", a, c.rule.Factors[f].Name)
			}
		}
		seen = append(seen, sums...)
	}
	return nil
}

// contracted is the axes that contracted factors are cut along.
func (c *cutting) contracted() []string {
	var axes []string
	for f, over := range c.axes {
		if c.rule.Factors[f].Kind == Contracted {
			axes = append(axes, over...)
		}
	}
	return axes
}

// zero reports whether the op makes zeros: a sum over whatever devices there are.
func (c *cutting) zero() bool {
	return !slices.ContainsFunc(c.op.In, func(v *Value) bool { return !v.Is(0) })
}
