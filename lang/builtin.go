package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// builtin is a function of the language itself: one row of the table.
type builtin struct {
	name   string
	params []builtinParam
	many   bool // the first parameter takes any number of arguments
	run    func(f *frame, c *builtinCall) value
	// special takes the place of run where a call evaluates its arguments in its own way.
	special func(f *frame, e *Call) value
}

// builtinParam is a parameter: what it takes, as in signatures, "" for any value.
type builtinParam struct {
	name     string
	kind     string
	optional bool
	named    bool // never by position
}

// builtinCall is a call with its arguments evaluated, beside the parameters.
type builtinCall struct {
	*builtin
	call *Call
	at   diag.Pos
	vals []value // nil: not given
	pos  []diag.Pos
	more []value // of a builtin that takes many, with their places
	mpos []diag.Pos
}

// dtypeNames are the dtypes that programs can name; dtypeOrder their order in messages.
var dtypeNames = map[string]dtype{"f32": dtype(ir.F32), "bf16": dtype(ir.BF16), "f16": dtype(ir.F16), "real": dtype(ir.Real),
	"i32": dtype(ir.I32), "u8": dtype(ir.U8), "bool": dtype(ir.Bool)}

var dtypeOrder = []string{"f32", "bf16", "f16", "real", "i32", "u8", "bool"}

// builtins is the table; filled by init, since its functions look names up in it.
var builtins = map[string]*builtin{}

func init() {
	for _, rows := range [][]*builtin{listBuiltins(), pointBuiltins(), reduceBuiltins(), shapeBuiltins(), windowBuiltins(), solveBuiltins(), drawBuiltins(), otherBuiltins()} {
		for _, b := range rows {
			builtins[b.name] = b
		}
	}
}

// takes is a parameter that must be given; may is one that need not, byName one that is
// never given by position.
func takes(name, kind string) builtinParam { return builtinParam{name: name, kind: kind} }

func may(name, kind string) builtinParam {
	return builtinParam{name: name, kind: kind, optional: true}
}

func byName(name, kind string, opt bool) builtinParam {
	return builtinParam{name: name, kind: kind, optional: opt, named: true}
}

// callBuiltin evaluates a call of a built-in function.
func (f *frame) callBuiltin(b *builtin, e *Call) value {
	if b.special != nil {
		return b.special(f, e)
	}
	c := &builtinCall{builtin: b, call: e, at: e.At, vals: make([]value, len(b.params)), pos: make([]diag.Pos, len(b.params))}
	next := 0
	for _, a := range e.Args {
		if !f.builtinArg(c, a, &next) {
			return bad{}
		}
	}
	return f.completeBuiltin(c)
}

// applyBuiltin calls a built-in function with one value, which has been evaluated.
func (f *frame) applyBuiltin(b *builtin, x value, at diag.Pos, e *Call) value {
	if b.special != nil {
		return f.report(&diag.Diagnostic{Code: codeCall, Pos: e.Fn.Pos(), Msg: fmt.Sprintf("`%s` cannot be a link of a chain", b.name)})
	}
	c := &builtinCall{builtin: b, call: e, at: e.At, vals: make([]value, len(b.params)), pos: make([]diag.Pos, len(b.params))}
	if b.many {
		c.more, c.mpos = []value{x}, []diag.Pos{at}
		return f.completeBuiltin(c)
	}
	c.vals[0], c.pos[0] = f.convert(x, b.params[0].kind, "", at), at
	return f.completeBuiltin(c)
}

func (f *frame) completeBuiltin(c *builtinCall) value {
	for i, p := range c.params {
		if c.vals[i] == nil && !p.optional && !(c.many && i == 0 && len(c.more) > 0) {
			return f.report(&diag.Diagnostic{Code: codeMissing, Pos: c.at, Msg: fmt.Sprintf("`%s` lacks `%s`", c.name, p.name), Expected: "the arguments of " + c.builtin.String()})
		}
	}
	if anyBadGiven(c.vals) || anyBadGiven(c.more) {
		return bad{}
	}
	return c.run(f, c)
}

func anyBadGiven(vs []value) bool {
	return slices.ContainsFunc(vs, func(v value) bool { return v != nil && isBad(v) })
}

// String prints the parameters, as in dot(a, b, over:).
func (b *builtin) String() string {
	s := b.name + "("
	for i, p := range b.params {
		if i > 0 {
			s += ", "
		}
		s += p.name
		if p.named {
			s += ":"
		}
		if b.many && i == 0 {
			s += ", ..."
		}
	}
	return s + ")"
}

// builtinArg evaluates one argument for its parameter.
func (f *frame) builtinArg(c *builtinCall, a *Arg, next *int) bool {
	i := -1
	switch {
	case a.Spread:
		f.report(&diag.Diagnostic{Code: codeArgument, Pos: a.At, Msg: fmt.Sprintf("`%s` takes no record", c.name)})
		return false
	case a.Name != nil:
		i = slices.IndexFunc(c.params, func(p builtinParam) bool { return p.name == a.Name.Name })
	case c.many:
		v := f.eval(a.Value)
		c.more, c.mpos = append(c.more, v), append(c.mpos, a.Value.Pos())
		return !isBad(v)
	default:
		if *next < len(c.params) && !c.params[*next].named {
			i = *next
			*next++
		}
	}
	if i < 0 {
		f.noBuiltinParam(c, a)
		return false
	}
	p := c.params[i]
	if c.vals[i] != nil {
		f.report(&diag.Diagnostic{Code: codeGiven, Pos: a.At, Msg: fmt.Sprintf("`%s` of `%s` is given twice", p.name, c.name)})
		return false
	}
	c.vals[i], c.pos[i] = f.evalKind(a.Value, p.kind, "", true), a.Value.Pos()
	return !isBad(c.vals[i])
}

func (f *frame) noBuiltinParam(c *builtinCall, a *Arg) {
	var names []string
	for _, p := range c.params {
		names = append(names, p.name)
	}
	d := &diag.Diagnostic{Code: codeArgument, Pos: a.At, Expected: "the arguments of " + c.builtin.String()}
	if a.Name != nil {
		d.Pos = a.Name.At
		d.Msg = fmt.Sprintf("`%s` has no parameter `%s`", c.name, a.Name.Name)
		d.Fix = diag.Nearest(a.Name.Name, names)
	} else {
		d.Msg = fmt.Sprintf("an argument too many for `%s`", c.name)
		for _, p := range c.params {
			if p.named {
				d.Fix = p.name + ": " + f.c.excerpt(a.At)
			}
		}
	}
	f.report(d)
}

// tensorArg reads argument i as a tensor.
func (f *frame) tensorArg(c *builtinCall, i int) (*tensor, bool) {
	return f.tensor(c.vals[i], c.pos[i])
}

// over reads an argument of axes that must be axes of one of the tensors; sizes are theirs.
// Without an argument it is every visible axis of the first.
func (f *frame) over(c *builtinCall, i int, ts ...*tensor) (axes, bool) {
	if c.vals[i] == nil {
		return ts[0].axes.visible(), true
	}
	var out axes
	for _, a := range c.vals[i].(axes) {
		found := false
		for _, t := range ts {
			if k := t.axes.named(a.name); k >= 0 && !found {
				out, found = append(out, t.axes[k]), true
			}
		}
		if !found {
			at := c.pos[i]
			if n := c.axisPlace(i, a.name); n.Valid() {
				at = n
			}
			f.noAxis(c.name, at, a.name, ts...)
			return nil, false
		}
	}
	return out, true
}

// axisPlace finds where an argument mentions an axis.
func (c *builtinCall) axisPlace(i int, name string) diag.Pos {
	for _, a := range c.call.Args {
		if a.Value.Pos() != c.pos[i] {
			continue
		}
		var at diag.Pos
		walk(a.Value, func(e Expr) {
			if n, ok := e.(*Name); ok && n.Name == name && !at.Valid() {
				at = n.At
			}
		})
		return at
	}
	return diag.Pos{}
}

// sizedArg reads an argument of axes that all have sizes.
func (f *frame) sizedArg(c *builtinCall, i int) (axes, bool) {
	l := c.vals[i].(axes)
	return l, f.fits(c.pos[i], l)
}
