package lang

import (
	"vitc/ir/diag"
)

// otherBuiltins change how things are evaluated, or come later.
func otherBuiltins() []*builtin {
	out := []*builtin{
		{name: "fixed", params: []builtinParam{takes("v", "float")}, run: func(f *frame, c *builtinCall) value {
			n, ok := c.vals[0].(num)
			if !ok {
				return f.report(&diag.Diagnostic{Code: codeKind, Pos: c.pos[0], Msg: "`fixed` wants a number that is the same in each turn"})
			}
			return fixed{n.v}
		}},
		{name: "freeze", params: []builtinParam{takes("m", "")}},
	}
	for _, row := range laterBuiltins {
		out = append(out, &builtin{name: row.name, params: row.params, run: func(f *frame, c *builtinCall) value {
			return f.later(c.at, "`"+c.name+"`")
		}})
	}
	return out
}

// laterBuiltins are of the language and have no op of the IR yet.
var laterBuiltins = []struct {
	name   string
	params []builtinParam
}{
	{"conv", []builtinParam{takes("x", ""), takes("w", ""), byName("space", "axes", false), byName("window", "axes", false), byName("over", "axes", false),
		byName("stride", "int", true), byName("pad", "string", true)}},
	{"max_pool", []builtinParam{takes("x", ""), byName("space", "axes", false), byName("window", "int", false), byName("stride", "int", true), byName("pad", "string", true)}},
	{"solve", []builtinParam{takes("a", ""), takes("b", ""), byName("over", "axes", false)}},
	{"resize", []builtinParam{takes("x", ""), byName("over", "axes", false)}},
}
