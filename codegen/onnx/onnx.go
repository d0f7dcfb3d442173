// Package onnx writes a function of the IR as an ONNX model, for the runtimes that read those.
//
// The function is differentiated and in machine dtypes, as the interpreter wants it. Loops are
// unrolled, each turn with its slice of the stacked parameters as constants: that is the form
// which ONNX's own optimisers know. Parameters are rearranged here, once, into what a MatMul reads
// in place.
//
// The batch may be left open. ONNX sizes are numbers, and so are the IR's: the function is then
// lowered for a batch of AnyBatch, a number that no size of a model is a multiple of, and each
// multiple of it is the open batch.
package onnx

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// AnyBatch is the batch, a large prime, of a function whose batch is left open.
const AnyBatch = 999_983

// maxBytes is the most that a protobuf message holds.
const maxBytes = 1<<31 - 1

// Options of an export.
type Options struct {
	Name    string // of the graph
	Version string // of vitc
	// Weights returns the bytes of a state argument, row-major.
	Weights func(name string, t ir.Type) ([]byte, error)
}

// Error says what of a function ONNX cannot express, and where it comes from.
type Error struct {
	Op  string
	Msg string
	Pos *diag.Loc
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Op, e.Msg) }

// Export writes the function as a ModelProto. Arguments of the role input stay inputs, states
// become constants; results are those of the roles output and metric. The error is an *Error, or
// that of Weights.
func Export(f *ir.Func, o Options) ([]byte, error) {
	e := &emitter{g: &graph{name: o.Name}, names: map[string]int{}, scalars: map[string]string{}, constants: map[constant]string{}}
	env := environment{}
	for i, p := range f.Body.Params {
		v, err := e.argument(f.Args[i], p, o)
		if err != nil {
			return nil, err
		}
		env[p] = v
	}
	e.region(f.Body, env)
	for i, y := range f.Body.Yield {
		if f.Results[i].Role == ir.RoleOutput || f.Results[i].Role == ir.RoleMetric {
			e.output(f.Results[i].Name, e.full(e.of(env, y)))
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	e.g.prune()
	if n := e.g.bytes(); n > maxBytes {
		return nil, &Error{Op: "export", Msg: fmt.Sprintf("the weights are %d bytes, an ONNX file holds at most %d", n, maxBytes)}
	}
	return e.g.encode(o.Version), nil
}

// environment says what the values of a region are.
type environment map[*ir.Value]*value

// emitter builds the graph. The first error stays, and what follows it is not written.
type emitter struct {
	g         *graph
	names     map[string]int // how often a name has been given
	scalars   map[string]string
	constants map[constant]string // initializers that have been written
	batch     string              // the tensor i64[1] with the open batch, "" until it is asked for
	source    *value              // an input that has the open batch, and
	sourceDim int                 // where
	at        *ir.Op              // what is being written
	turns     string              // the turns of the loops around: ".3"
	err       error
}

func (e *emitter) fail(format string, args ...any) {
	if e.err != nil {
		return
	}
	err := &Error{Op: "export", Msg: fmt.Sprintf(format, args...)}
	if e.at != nil {
		err.Op, err.Pos = e.at.Row.Name, e.at.Pos
	}
	e.err = err
}

// unique makes a name that no other thing of the graph has.
func (e *emitter) unique(name string) string {
	e.names[name]++
	if n := e.names[name]; n > 1 {
		return e.unique(fmt.Sprintf("%s_%d", name, n))
	}
	return name
}

func (e *emitter) argument(p ir.Port, v *ir.Value, o Options) (*value, error) {
	if p.Role == ir.RoleState {
		data, err := o.Weights(p.Name, v.Type)
		return &value{t: v.Type, data: data, name: p.Name}, err
	}
	x := &value{t: v.Type, name: e.unique(p.Name)}
	e.g.inputs = append(e.g.inputs, port{x.name, elementTypes[v.Type.DType], openDims(v.Type)})
	if k := slices.IndexFunc(v.Type.Dims, open); k >= 0 && e.source == nil {
		e.source, e.sourceDim = x, k
	}
	return x, nil
}

// open reports whether a dim is a multiple of the open batch.
func open(d ir.Dim) bool { return d.Size%AnyBatch == 0 && d.Size > 0 }

// openDims leaves the sizes of open dims out.
func openDims(t ir.Type) []ir.Dim {
	dims := slices.Clone(t.Dims)
	for i := range dims {
		if open(dims[i]) {
			dims[i].Size = 0
		}
	}
	return dims
}

// output names a value as an output of the graph.
func (e *emitter) output(name string, v *value) {
	if e.err != nil {
		return
	}
	e.at = nil
	out := e.unique(name)
	e.g.nodes = append(e.g.nodes, &node{op: "Identity", name: out + "/output", inputs: []string{e.name(v)}, outputs: []string{out}})
	e.g.outputs = append(e.g.outputs, port{out, elementTypes[v.t.DType], openDims(v.t)})
}

// region writes every op of a region.
func (e *emitter) region(r *ir.Region, env environment) {
	for _, op := range r.Ops {
		if e.err != nil {
			return
		}
		e.at = op
		if v := e.raise(op, env); v != nil {
			env[op.Out[0]] = v
			continue
		}
		row := rows[op.Row.Name]
		if row == nil {
			e.fail("ONNX has no such operation, or vitc does not know it")
			return
		}
		in := make([]*value, len(op.In))
		for i, v := range op.In {
			in[i] = e.of(env, v)
		}
		for i, v := range row(e, op, in) {
			env[op.Out[i]] = v
		}
	}
}

// of is a value of the region, or a literal.
func (e *emitter) of(env environment, v *ir.Value) *value {
	if v.Lit != nil {
		return &value{t: v.Type, name: e.scalar(v.Type.DType, *v.Lit)}
	}
	return env[v]
}
