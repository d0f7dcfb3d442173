package stablehlo

import (
	"bytes"
	"fmt"
	"strings"

	"vitc/ir"
)

// emitter writes one module.
type emitter struct {
	f       *ir.Func
	o       Options
	text    *bytes.Buffer // of the function being written
	helpers []string      // the texts of private functions, in the order of their first calls
	called  map[string]bool
	locs    *locations
	loc     string // of the op being written
	ids     int
	indent  int
	scope   *scope

	lists    map[string]string // names of lists of devices, by their text
	listed   bytes.Buffer      // their definitions
	channels int               // collectives so far
}

// scope is a region being written. Regions are closed, so nothing outside it is visible.
type scope struct {
	values    map[*ir.Value]value
	constants map[string]value // what is written once a region, by its text
}

func newScope() *scope {
	return &scope{map[*ir.Value]value{}, map[string]value{}}
}

func newEmitter(f *ir.Func, o Options) *emitter {
	return &emitter{f: f, o: o, text: &bytes.Buffer{}, called: map[string]bool{}, locs: newLocations(),
		lists: map[string]string{}, loc: unknown, indent: 2, scope: newScope()}
}

// fresh is a name not used yet in the module.
func (e *emitter) fresh() string {
	e.ids++
	return fmt.Sprintf("%%%d", e.ids-1)
}

// linef writes a line.
func (e *emitter) linef(format string, args ...any) {
	e.text.WriteString(strings.Repeat("  ", e.indent))
	fmt.Fprintf(e.text, format, args...)
	e.text.WriteByte('\n')
}

// op writes an op of one result.
func (e *emitter) op(t tensor, format string, args ...any) value {
	v := value{e.fresh(), t}
	e.linef("%s = %s loc(%s)", v.id, fmt.Sprintf(format, args...), e.loc)
	return v
}

// results are the values of an op of several results, or of one.
func results(id string, ts []tensor) []value {
	vs := make([]value, len(ts))
	for i, t := range ts {
		vs[i] = value{id, t}
		if len(ts) > 1 {
			vs[i].id = fmt.Sprintf("%s#%d", id, i)
		}
	}
	return vs
}

// constant is a tensor of one number. Each is written once a region.
func (e *emitter) constant(t tensor, x float64) value {
	text := fmt.Sprintf("stablehlo.constant dense<%s> : %s", number(t.elem, x), t)
	v, ok := e.scope.constants[text]
	if !ok {
		v = e.op(t, "%s", text)
		e.scope.constants[text] = v
	}
	return v
}

// of is the text's value for one of the IR.
func (e *emitter) of(v *ir.Value) value {
	if v.Lit != nil {
		return e.constant(typeOf(v.Type), *v.Lit)
	}
	return e.scope.values[v]
}

func (e *emitter) all(vs []*ir.Value) []value {
	out := make([]value, len(vs))
	for i, v := range vs {
		out[i] = e.of(v)
	}
	return out
}

// region writes the ops of a region whose parameters stand for the given values.
func (e *emitter) region(r *ir.Region, args []value) {
	for i, p := range r.Params {
		e.scope.values[p] = args[i]
	}
	for _, op := range r.Ops {
		e.row(op)
	}
}

// row writes one op of the IR.
func (e *emitter) row(op *ir.Op) {
	for _, v := range op.Out {
		if elems[v.Type.DType] == "" {
			failf(op, "a value of dtype %s has no StableHLO: the pass precision comes first", v.Type.DType)
		}
	}
	write := rows[op.Row.Name]
	if write == nil {
		failf(op, "there is no StableHLO for this op: passes must remove it first")
	}
	outer := e.loc
	e.loc = e.locs.of(op.Pos)
	for i, v := range write(e, op) {
		e.scope.values[op.Out[i]] = v
	}
	e.loc = outer
}

// function writes a private function once, and calls it. Its body depends on its name only.
func (e *emitter) function(name string, result tensor, args []value, body func(e *emitter, args []value) value) value {
	if !e.called[name] {
		e.called[name] = true
		e.helpers = append(e.helpers, e.private(name, result, args, body))
	}
	return e.op(result, "func.call @%s(%s) : (%s) -> %s", name, names(args), types(args), result)
}

// private is the text of a function of its own.
func (e *emitter) private(name string, result tensor, args []value, body func(e *emitter, args []value) value) string {
	in := &emitter{f: e.f, o: e.o, text: &bytes.Buffer{}, locs: e.locs, loc: e.locs.named(name), indent: 2, scope: newScope()}
	params := make([]string, len(args))
	own := make([]value, len(args))
	for i, a := range args {
		own[i] = value{in.fresh(), a.tensor}
		params[i] = fmt.Sprintf("%s: %s", own[i].id, a.tensor)
	}
	out := body(in, own)
	return fmt.Sprintf("  func.func private @%s(%s) -> %s {\n%s    return %s : %s loc(%s)\n  } loc(%s)\n",
		name, strings.Join(params, ", "), result, in.text, out.id, result, in.loc, in.loc)
}
