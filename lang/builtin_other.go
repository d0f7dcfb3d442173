package lang

import (
	"vitc/ir/diag"
)

// otherBuiltins change how things are evaluated.
func otherBuiltins() []*builtin {
	return []*builtin{
		{name: "fixed", params: []builtinParam{takes("v", "float")}, run: func(f *frame, c *builtinCall) value {
			n, ok := c.vals[0].(num)
			if !ok {
				return f.report(&diag.Diagnostic{Code: codeKind, Pos: c.pos[0], Msg: "`fixed` wants a number that is the same in each turn"})
			}
			return fixed{n.v}
		}},
		{name: "freeze", params: []builtinParam{takes("m", "")}, special: (*frame).freezeCall},
	}
}
