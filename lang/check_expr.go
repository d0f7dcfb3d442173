package lang

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// eval evaluates an expression. What cannot be evaluated is reported and bad.
func (f *frame) eval(e Expr) value {
	f.tick(e.Pos())
	switch e := e.(type) {
	case *Number:
		return num{e.Value, e.IsInt}
	case *String:
		return f.interpolate(e)
	case *Bool:
		return boolean(e.Value)
	case *Name:
		return f.name(e)
	case *List:
		return f.evalList(e)
	case *Tuple:
		return f.tuple(e)
	case *Call:
		return f.call(e)
	case *Index:
		return f.index(e)
	case *Field:
		return f.field(e)
	case *Unary:
		return f.unary(e)
	case *Binary:
		return f.binary(e)
	case *Cond:
		if side := f.choose(e); side != nil {
			return f.eval(side)
		}
	case *With:
		return f.with(e)
	case *Repeat:
		return f.repeat(e)
	case *For:
		return f.loopOver(e)
	}
	return bad{}
}

func (f *frame) interpolate(s *String) value {
	var b strings.Builder
	for _, p := range s.Pieces {
		if p.Name == nil {
			b.WriteString(p.Text)
			continue
		}
		v, ok := f.lookup(p.Name.Name)
		if !ok {
			return f.unknown(p.Name.Name, p.Name.At)
		}
		switch v.(type) {
		case bad:
			return v
		case num, boolean, text, axis, dtype, symbol:
			b.WriteString(show(v))
		default:
			return f.report(&diag.Diagnostic{Code: codeKind, Pos: p.Name.At, Msg: fmt.Sprintf("a string cannot hold %s", v.kind()),
				Expected: "a number, string, bool, dtype or axis"})
		}
	}
	if b.Len() > maxText {
		return f.report(&diag.Diagnostic{Code: codeRecursion, Pos: s.At, Msg: fmt.Sprintf("a string of %d bytes", b.Len()), Expected: fmt.Sprintf("at most %d", maxText)})
	}
	return text(b.String())
}

func (f *frame) evalList(e *List) value {
	out := list{}
	g := f.fork()
	for i, x := range e.Items {
		g.path = indexedPath(f.path, i)
		v := g.eval(x)
		if isBad(v) {
			return v
		}
		out = append(out, v)
	}
	return out
}

func indexedPath(path string, i int) string { return fmt.Sprintf("%s.%d", path, i) }

// tuple evaluates (), (a, b) and (a: 1, ...r). A tuple of axes is a list of axes.
func (f *frame) tuple(e *Tuple) value {
	if e.IsRecord() {
		return f.record(e)
	}
	out, all := list{}, axes{}
	for _, a := range e.Args {
		v := f.eval(a.Value)
		if isBad(v) {
			return v
		}
		if x, ok := v.(axis); ok {
			all = append(all, x)
		}
		out = append(out, v)
	}
	if len(all) == len(out) {
		return all
	}
	return out
}

func (f *frame) record(e *Tuple) value {
	out := &record{vals: map[string]value{}}
	put := func(name string, v value, at diag.Pos) {
		if _, twice := out.vals[name]; !twice {
			out.names = append(out.names, name)
		} else if at.Valid() {
			f.report(&diag.Diagnostic{Code: codeGiven, Pos: at, Msg: fmt.Sprintf("`%s` is given twice", name)})
		}
		out.vals[name] = v
	}
	for _, a := range e.Args {
		switch {
		case a.Spread:
			r, ok := f.spread(a)
			if !ok {
				return bad{}
			}
			for _, name := range r.names {
				put(name, r.vals[name], diag.Pos{})
			}
		case a.Name == nil:
			return f.report(&diag.Diagnostic{Code: codeArgument, Pos: a.At, Msg: "a record's items have names", Fix: "name: " + f.c.excerpt(a.At)})
		default:
			put(a.Name.Name, f.eval(a.Value), a.Name.At)
		}
	}
	return out
}

// spread evaluates the record of ...record.
func (f *frame) spread(a *Arg) (*record, bool) {
	v := f.eval(a.Value)
	r, ok := v.(*record)
	if !ok && !isBad(v) {
		f.report(&diag.Diagnostic{Code: codeKind, Pos: a.At, Msg: "`...` spreads a record", Label: "this is " + describeValue(v)})
	}
	return r, ok
}

// choose returns the side that a condition takes, nil if it cannot be known.
func (f *frame) choose(e *Cond) Expr {
	c := f.eval(e.Cond)
	switch c := c.(type) {
	case boolean:
		if c {
			return e.Then
		}
		return e.Else
	case bad:
	case *tensor:
		f.report(&diag.Diagnostic{Code: codeCondition, Pos: e.Cond.Pos(), Msg: "`if` chooses when the program is compiled",
			Label: "this is " + describeValue(c), Fix: "where(condition, a, b), which chooses element by element"})
	case *turn:
		f.report(&diag.Diagnostic{Code: codeCondition, Pos: e.Cond.Pos(), Msg: "`if` chooses when the program is compiled",
			Label: "differs in each turn of the loop", Fix: "where(condition, a, b), or `for` in place of `repeat`"})
	default:
		f.report(&diag.Diagnostic{Code: codeCondition, Pos: e.Cond.Pos(), Msg: "a condition is a bool", Label: "this is " + describeValue(c)})
	}
	return nil
}

// index evaluates x[...]: an item of a list, or a tensor's positions.
func (f *frame) index(e *Index) value {
	v := f.eval(e.X)
	switch v := v.(type) {
	case bad:
		return v
	case *tensor, *turn:
		t, ok := f.tensor(v, e.X.Pos())
		if !ok {
			return bad{}
		}
		return f.indexTensor(e, t)
	case list:
		return f.item(e, len(v), func(i int) value { return v[i] })
	case axes:
		return f.item(e, len(v), func(i int) value { return v[i] })
	}
	return f.report(&diag.Diagnostic{Code: codeOperator, Pos: e.X.Pos(), Msg: fmt.Sprintf("%s cannot be indexed", v.kind()),
		Expected: "a tensor or a list"})
}

func (f *frame) item(e *Index, n int, get func(int) value) value {
	it := e.Items[0]
	if len(e.Items) != 1 || it.Axis != nil || it.Range {
		return f.report(&diag.Diagnostic{Code: codeOperator, Pos: e.At, Msg: "a list is indexed by one number", Fix: "list[0]"})
	}
	v := f.eval(it.From)
	if isBad(v) {
		return v
	}
	i, ok := integer(v)
	if !ok {
		return f.report(&diag.Diagnostic{Code: codeKind, Pos: it.At, Msg: "a list is indexed by an int", Label: "this is " + describeValue(v)})
	}
	if i < 0 || i >= n {
		d := &diag.Diagnostic{Code: codeRange, Pos: it.At, Msg: fmt.Sprintf("the list has no item %d", i)}
		if d.Label = fmt.Sprintf("it has %d", n); n > 0 {
			d.Expected = fmt.Sprintf("0 to %d", n-1)
		}
		return f.report(d)
	}
	return get(i)
}

// typed converts a value to a type that was written for it; without one it is as it is.
func (f *frame) typed(t *Type, v value, at diag.Pos) value {
	if t == nil || isBad(v) {
		return v
	}
	if k := kindWord(t); k != "" && !t.Tensor {
		return f.convert(v, k, "", at)
	}
	x, ok := f.tensor(v, at)
	if !ok {
		return bad{}
	}
	m := &matching{frame: f, what: "the value", anyRest: true}
	if !m.match(t, x, at) {
		return bad{}
	}
	return m.converted
}

// outside reports a tensor where no function is being built.
func (f *frame) outside(at diag.Pos) value {
	return f.report(&diag.Diagnostic{Code: codeOutside, Pos: at, Msg: "a tensor is computed outside a function",
		Label: "only compile-time values stand here", Fix: "compute it in the `fn` that uses it"})
}

// tensor reads a value as a tensor: a number is an f32 of rank 0, a parameter itself.
func (f *frame) tensor(v value, at diag.Pos) (*tensor, bool) {
	if anyBad(v) {
		return nil, false
	}
	if f.s == nil {
		f.outside(at)
		return nil, false
	}
	switch v := v.(type) {
	case *tensor:
		return v, true
	case *turn:
		return f.turnTensor(v, ir.F32, at)
	}
	if n, ok := numeric(v); ok {
		return &tensor{d: ir.F32, v: ir.Literal(ir.F32, n.v)}, f.representable(n, ir.F32, at)
	}
	if a, ok := v.(axis); ok {
		f.noSize(a, at)
		return nil, false
	}
	d := &diag.Diagnostic{Code: codeKind, Pos: at, Msg: "a tensor is wanted", Label: "this is " + describeValue(v)}
	if callable(v) {
		d.Fix = "call it: " + f.c.excerpt(at) + "(...)"
	}
	f.report(d)
	return nil, false
}

func callable(v value) bool {
	switch v.(type) {
	case *function, *builtin, *instance, *looped, *chain, *recipe:
		return true
	}
	return false
}
