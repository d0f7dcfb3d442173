package ir

import (
	"fmt"
	"slices"
)

// cutting is how an op's factors are cut, read off its values. Values that vary along an axis have
// no global meaning there: such axes are left out, and the mesh interpreter holds what comes of
// them against the program for one device.
type cutting struct {
	op      *Op
	rule    Rule
	in, out []Type     // without the axes that some value varies along
	axes    [][]string // of each factor
	known   []bool
	owner   map[string]int // the factor that an axis cuts
}

// verifyFactors: the values of an op agree on the axes of each factor, no axis cuts two, a factor
// that must be whole is, and results are sums over the axes that contracted factors are cut along.
func verifyFactors(m *Module, op *Op) error {
	c := &cutting{op: op, rule: SharedRule(op), owner: map[string]int{}}
	c.axes, c.known = make([][]string, len(c.rule.Factors)), make([]bool, len(c.rule.Factors))
	var vary []string
	for _, v := range slices.Concat(op.In, op.Out) {
		vary = append(vary, v.Type.Shard.Varies()...)
	}
	for _, v := range op.In {
		c.in = append(c.in, v.Type.Without(vary...))
	}
	for _, v := range op.Out {
		c.out = append(c.out, v.Type.Without(vary...))
	}
	for _, visit := range []func(Type, int, DimFactors) error{c.single, c.several, c.inside(m)} {
		if err := c.each(visit); err != nil {
			return err
		}
	}
	if err := c.counted(m); err != nil {
		return err
	}
	return c.sums(m)
}

// each visits every dim that has a sharding of its own, with its factors.
func (c *cutting) each(visit func(t Type, i int, d DimFactors) error) error {
	for k, terms := range [][]Term{c.rule.In, c.rule.Out} {
		for n, term := range terms {
			if k == 0 && c.op.In[n].Lit != nil {
				continue
			}
			t := [][]Type{c.in, c.out}[k][n]
			for i, d := range term {
				if err := visit(t, i, d); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// single reads dims of one factor.
func (c *cutting) single(t Type, i int, d DimFactors) error {
	if len(d) != 1 {
		return nil
	}
	if axes := t.Shard.Of(i); len(axes) > 0 && !c.rule.Cuttable(d[0]) {
		return fmt.Errorf("%s is cut along %s, which must be whole", t, t.dimName(i))
	}
	return c.note(d[0], t.Shard.Of(i))
}

// note holds a factor's axes against those that it has elsewhere.
func (c *cutting) note(f int, axes []string) error {
	name := c.rule.Factors[f].Name
	if c.known[f] && !slices.Equal(c.axes[f], axes) {
		return fmt.Errorf("factor %c is cut along %v and along %v", name, c.axes[f], axes)
	}
	c.axes[f], c.known[f] = axes, true
	for _, a := range axes {
		if g, ok := c.owner[a]; ok && g != f {
			return fmt.Errorf("%s cuts the factors %c and %c", a, c.rule.Factors[g].Name, name)
		}
		c.owner[a] = f
	}
	return nil
}

// several reads dims of several factors or none, major first: what is left over when the axes of
// known factors are taken off both ends is the first unknown one's.
func (c *cutting) several(t Type, i int, d DimFactors) error {
	if len(d) == 1 {
		return nil
	}
	rest := t.Shard.Of(i)
	for len(d) > 0 && c.known[d[0]] {
		var ok bool
		if rest, ok = cutHead(rest, c.axes[d[0]]); !ok {
			return c.split(t, i)
		}
		d = d[1:]
	}
	for len(d) > 0 && c.known[d[len(d)-1]] {
		var ok bool
		if rest, ok = cutTail(rest, c.axes[d[len(d)-1]]); !ok {
			return c.split(t, i)
		}
		d = d[:len(d)-1]
	}
	for _, f := range d {
		if err := c.note(f, rest); err != nil {
			return err
		}
		rest = nil
	}
	if len(rest) > 0 {
		return c.split(t, i)
	}
	return nil
}

func (c *cutting) split(t Type, i int) error {
	return fmt.Errorf("%s of %s is cut along %v, which is not how its factors are", t.dimName(i), t, t.Shard.Of(i))
}

func cutHead(list, head []string) (rest []string, ok bool) {
	n := len(head)
	if len(list) < n || !slices.Equal(list[:n], head) {
		return nil, false
	}
	return list[n:], true
}

func cutTail(list, tail []string) (rest []string, ok bool) {
	n := len(list) - len(tail)
	if n < 0 || !slices.Equal(list[n:], tail) {
		return nil, false
	}
	return list[:n], true
}

// inside: in a dim of several factors a minor one is cut only where those before it are cut up, and
// none has padding, which would lie between places.
func (c *cutting) inside(m *Module) func(t Type, i int, d DimFactors) error {
	sizes := c.rule
	if c.op.Row.Carries {
		if r, err := c.rule.Bind(typesOf(c.op.In), typesOf(c.op.Out)); err == nil {
			sizes = r
		}
	}
	return func(t Type, i int, d DimFactors) error {
		if len(d) < 2 || len(t.Shard.Of(i)) == 0 {
			return nil
		}
		if t.Dims[i].Global != 0 {
			return fmt.Errorf("%s of %s has padding, and several factors", t.dimName(i), t)
		}
		left := 1
		for _, f := range d {
			if left > 1 && len(c.axes[f]) > 0 {
				return fmt.Errorf("%s of %s is cut along its factor %c, inside of others", t.dimName(i), t, c.rule.Factors[f].Name)
			}
			size, n := sizes.Factors[f].Size, m.Mesh.Size(c.axes[f]...)
			if !m.local() {
				if size%n != 0 {
					return fmt.Errorf("%s of %s: %v do not divide its factor %c of %d", t.dimName(i), t, c.axes[f], c.rule.Factors[f].Name, size)
				}
				size /= n
			}
			left *= size
		}
		return nil
	}
}

// counted: where sizes are those of a device, an op that counts positions along a cut factor has an
// operand that varies with the device.
func (c *cutting) counted(m *Module) error {
	if !m.local() || c.op.Row.Counts == nil {
		return nil
	}
	for _, f := range c.op.Row.Counts(c.op) {
		if len(c.axes[f]) > 0 {
			return fmt.Errorf("counts positions along %c, cut along %v: a device does not know where its block begins", c.rule.Factors[f].Name, c.axes[f])
		}
	}
	return nil
}
