package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// repeat evaluates `repeat layer as i { M(...) }`: one instance that stands for all turns.
func (f *frame) repeat(e *Repeat) value {
	if f.noMake || f.store == nil {
		return f.report(&diag.Diagnostic{Code: codeInstance, Pos: e.At, Msg: "`repeat` makes instances: it stands in a module or block", Fix: "`let` it beside the `fn`"})
	}
	v, ok := f.lookup(e.Axis.Name)
	if !ok {
		return f.unknown(e.Axis.Name, e.Axis.At)
	}
	a, ok := v.(axis)
	if !ok {
		if isBad(v) {
			return v
		}
		return f.report(&diag.Diagnostic{Code: codeKind, Pos: e.Axis.At, Msg: "`repeat` runs over an axis", Label: "this is " + describeValue(v),
			Fix: fmt.Sprintf("axis layer = %s, and repeat layer", e.Axis.Name)})
	}
	if a.size == unsized {
		f.noSize(a, e.Axis.At)
		return bad{}
	}
	if a.size == 0 {
		return builtins["identity"]
	}
	l := &loop{axis: a, path: f.path}
	g := f.fork()
	g.loops = append(slices.Clone(f.loops), l)
	if e.Index != nil {
		g.env.set(e.Index.Name, &turn{loop: l})
	}
	body := g.eval(e.Body)
	switch b := body.(type) {
	case bad:
		return b
	case *instance, *looped, *chain:
		return &looped{loop: l, body: body}
	case *builtin:
		if b == builtins["identity"] {
			return b
		}
	}
	return f.report(&diag.Diagnostic{Code: codeInstance, Pos: e.Body.Pos(), Msg: "`repeat` wants a new instance in its braces", Label: "this is " + describeValue(body),
		Fix: "repeat " + e.Axis.Name + " { Module(...) }"})
}

// loopOver evaluates `for i, n in list { M(...) }`.
func (f *frame) loopOver(e *For) value {
	v := f.eval(e.In)
	var items []value
	switch v := v.(type) {
	case bad:
		return v
	case list:
		items = v
	case axes:
		for _, a := range v {
			items = append(items, a)
		}
	default:
		return f.report(&diag.Diagnostic{Code: codeKind, Pos: e.In.Pos(), Msg: "`for` runs over a list", Label: "this is " + describeValue(v), Fix: "[0, 1, 2], or `repeat` over an axis"})
	}
	if len(items) > maxItems {
		return f.report(&diag.Diagnostic{Code: codeRecursion, Pos: e.In.Pos(), Msg: fmt.Sprintf("`for` over %d items", len(items)), Expected: fmt.Sprintf("at most %d", maxItems), Fix: "`repeat`"})
	}
	out := &chain{}
	for i, item := range items {
		g := f.fork()
		g.path = indexedPath(f.path, i)
		if e.Index != nil {
			g.env.set(e.Index.Name, whole(i))
		}
		g.env.set(e.Name.Name, item)
		made := g.eval(e.Body)
		if isBad(made) {
			return made
		}
		if !callable(made) {
			return f.report(&diag.Diagnostic{Code: codeInstance, Pos: e.Body.Pos(), Msg: "`for` wants an instance or a fn in its braces", Label: "this is " + describeValue(made)})
		}
		out.items = append(out.items, made)
	}
	return out
}

// callChain calls a repeated instance, or a list of instances one after the other.
func (f *frame) callChain(v value, e *Call) value {
	if len(e.Args) != 1 || e.Args[0].Spread {
		return f.report(&diag.Diagnostic{Code: codeArgument, Pos: e.At, Msg: "a chain takes one argument: each instance's result is the next one's argument"})
	}
	x := f.eval(e.Args[0].Value)
	if isBad(x) {
		return x
	}
	return f.link(v, x, e)
}

// link applies one member of a chain to a value.
func (f *frame) link(v, x value, e *Call) value {
	at := e.Args[0].Value.Pos()
	f.tick(at) // a chain of chains of chains is long
	switch v := v.(type) {
	case *chain:
		for _, item := range v.items {
			if x = f.link(item, x, e); isBad(x) {
				return x
			}
		}
		return x
	case *looped:
		return f.turns(v, x, e)
	case *instance:
		if v.call == nil {
			return f.callInstance(v, e)
		}
		return f.applyTo(v.call, x, e, at)
	case *function:
		return f.applyTo(v, x, e, at)
	case *recipe:
		if fn, ok := v.callee.(*function); ok {
			return f.applyRecipe(fn, v.args, x, e, at)
		}
	case *builtin:
		return f.applyBuiltin(v, x, at, e)
	}
	return f.report(&diag.Diagnostic{Code: codeCall, Pos: e.Fn.Pos(), Msg: fmt.Sprintf("%s cannot be called with a tensor", v.kind())})
}

// applyTo calls a function with one value, which has been evaluated.
func (f *frame) applyTo(fn *function, x value, e Expr, at diag.Pos) value {
	return f.applyRecipe(fn, nil, x, e, at)
}

func (f *frame) applyRecipe(fn *function, before *arguments, x value, e Expr, at diag.Pos) value {
	b := f.bind(f.signatureOf(fn), nil, before)
	if b == nil {
		return bad{}
	}
	i := b.nextOpen()
	if i < 0 {
		return f.report(&diag.Diagnostic{Code: codeArgument, Pos: at, Msg: fmt.Sprintf("`%s` takes no further argument", fn.name)})
	}
	b.vals[i], b.at[i] = x, at
	return f.invoke(fn, b, e)
}

// turns lowers a call of a repeated instance to one scan.
func (f *frame) turns(v *looped, x value, e *Call) value {
	at := e.Args[0].Value.Pos()
	t, ok := f.tensor(x, at)
	if !ok {
		return bad{}
	}
	if f.s.inside(v.loop) {
		return f.report(&diag.Diagnostic{Code: codeRecursion, Pos: e.At, Msg: "a repeated instance calls itself"})
	}
	outer := f.full(t, at)
	g := *f
	g.s = f.s.inner(v.loop)
	carry := &ir.Value{Name: "x", Type: outer.Type, Pos: f.loc(at)}
	out := g.link(v.body, &tensor{axes: t.axes, d: t.d, v: carry}, e)
	if isBad(out) {
		return out
	}
	y, ok := g.tensor(out, e.At)
	if !ok {
		return bad{}
	}
	if y.d != t.d || !y.axes.same(t.axes) {
		return f.report(&diag.Diagnostic{Code: codeTurns, Pos: e.At, Msg: "a turn of `repeat` must keep its argument's type",
			Label: fmt.Sprintf("takes %s, gives %s", t, y), Fix: "`for`, whose instances may differ"})
	}
	results := g.s.finish(f.loc(e.At), []eachOperand{{outer, carry}}, []*ir.Value{g.spreadTo(y, t.axes, e.At)})
	return &tensor{axes: t.axes, d: t.d, v: results[0]}
}

// finish closes a loop: the states written in it are stacked, and written in the parent.
func (s *scope) finish(pos *diag.Loc, carry []eachOperand, yield []*ir.Value) []*ir.Value {
	var stack []*ir.Value
	for _, l := range s.written {
		stack = append(stack, s.vals[l])
	}
	out := s.close(pos, carry, yield, stack)
	for i, l := range s.written {
		s.parent.write(l, out[len(yield)+i])
	}
	return out
}
