package lang

import (
	"cmp"
	"fmt"
	"slices"

	"vitc/ir/diag"
)

// listBuiltins compute with lists of axes, when the program is compiled.
func listBuiltins() []*builtin {
	return []*builtin{
		{name: "size", params: []builtinParam{takes("l", "axes")}, run: func(f *frame, c *builtinCall) value {
			l := c.vals[0].(axes)
			for _, a := range l {
				if a.size == unsized {
					f.noSize(a, c.pos[0])
					return bad{}
				}
			}
			n, ok := l.elements()
			if !ok {
				return f.report(&diag.Diagnostic{Code: codeLarge, Pos: c.at, Msg: "a size is too large", Label: l.sized()})
			}
			return whole(n)
		}},
		{name: "len", params: []builtinParam{takes("l", "")}, run: length},
		{name: "axes", params: []builtinParam{takes("x", "")}, run: func(f *frame, c *builtinCall) value {
			x, ok := f.tensorArg(c, 0)
			if !ok {
				return bad{}
			}
			return x.axes.visible()
		}},
		{name: "without", params: []builtinParam{takes("l", "axes"), takes("a", "axes")}, run: func(f *frame, c *builtinCall) value {
			return c.vals[0].(axes).without(c.vals[1].(axes))
		}},
		{name: "largest", params: []builtinParam{takes("l", "axes"), takes("n", "int"), byName("least", "int", true)}, run: largest},
	}
}

func length(f *frame, c *builtinCall) value {
	switch v := c.vals[0].(type) {
	case list:
		return whole(len(v))
	case axes:
		return whole(len(v))
	case axis:
		return whole(1)
	}
	d := &diag.Diagnostic{Code: codeKind, Pos: c.pos[0], Msg: "`len` counts a list", Label: "this is " + describeValue(c.vals[0])}
	if _, ok := c.vals[0].(*tensor); ok {
		d.Fix = fmt.Sprintf("len(axes(%s))", f.c.excerpt(c.pos[0]))
	}
	return f.report(d)
}

// largest returns at most n axes of a least size, the largest first, ties by name.
func largest(f *frame, c *builtinCall) value {
	out := slices.Clone(c.vals[0].(axes))
	n, _ := integer(c.vals[1])
	least := 0
	if c.vals[2] != nil {
		least, _ = integer(c.vals[2])
	}
	out = slices.DeleteFunc(out, func(a axis) bool { return a.size < least })
	slices.SortStableFunc(out, func(a, b axis) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.name, b.name))
	})
	return out[:max(min(n, len(out)), 0)]
}
