package onnx

import (
	"cmp"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"vitc/ir"
)

// The messages of onnx.proto that an inference graph needs, written field by field: their
// numbers are the format. (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto)

// The versions that are written.
const (
	irVersion = 10
	opset     = 20
)

// message is a protobuf message in the making. Numbers are those of the fields.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

func (m *message) number(field protowire.Number, n int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(n))
}

func (m *message) float(field protowire.Number, x float64) {
	*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), math.Float32bits(float32(x)))
}

// elementTypes are the numbers of TensorProto.DataType.
var elementTypes = map[ir.DType]int64{ir.F32: 1, ir.U8: 2, ir.I32: 6, ir.Bool: 9, ir.F16: 10, ir.U32: 12, ir.BF16: 16}

// elementInt64 is the type of shapes and indices, which the IR does not have.
const elementInt64 = 7

// attribute is one attribute of a node: an int, a float64, a string or a list of ints.
type attribute struct {
	name  string
	value any
}

// The numbers of AttributeProto.AttributeType.
const (
	attributeFloat  = 1
	attributeInt    = 2
	attributeString = 3
	attributeInts   = 7
)

func (a attribute) encode() message {
	var m message
	m.text(1, a.name)
	switch v := a.value.(type) {
	case int:
		m.number(3, int64(v))
		m.number(20, attributeInt)
	case float64:
		m.float(2, v)
		m.number(20, attributeFloat)
	case string:
		m.text(4, v)
		m.number(20, attributeString)
	case []int:
		for _, n := range v {
			m.number(8, int64(n))
		}
		m.number(20, attributeInts)
	default:
		panic(&ir.Bug{Msg: "no ONNX attribute has the type of " + a.name})
	}
	return m
}

// node is one operator of the graph.
type node struct {
	op         string
	name       string
	inputs     []string
	outputs    []string
	attributes []attribute
}

func (n *node) encode() message {
	var m message
	for _, name := range n.inputs {
		m.text(1, name)
	}
	for _, name := range n.outputs {
		m.text(2, name)
	}
	m.text(3, n.name)
	m.text(4, n.op)
	slices.SortFunc(n.attributes, func(a, b attribute) int { return cmp.Compare(a.name, b.name) })
	for _, a := range n.attributes {
		m.bytes(5, a.encode())
	}
	return m
}

// initializer is a constant tensor of the graph.
type initializer struct {
	name    string
	element int64
	dims    []int
	data    []byte
}

func (t *initializer) encode() message {
	var m message
	for _, n := range t.dims {
		m.number(1, int64(n))
	}
	m.number(2, t.element)
	m.text(8, t.name)
	m.bytes(9, t.data)
	return m
}

// port is an input or output of the graph. A dim without a size is named.
type port struct {
	name    string
	element int64
	dims    []ir.Dim // Size 0: any, called Label
}

func (p *port) encode() message {
	var shape message
	for _, d := range p.dims {
		var dim message
		if d.Size > 0 {
			dim.number(1, int64(d.Size))
		} else {
			dim.text(2, d.Label)
		}
		shape.bytes(1, dim)
	}
	var tensor, kind, m message
	tensor.number(1, p.element)
	tensor.bytes(2, shape)
	kind.bytes(1, tensor)
	m.text(1, p.name)
	m.bytes(2, kind)
	return m
}

// graph is the whole model.
type graph struct {
	name            string
	nodes           []*node
	initializers    []*initializer
	inputs, outputs []port
}

// prune removes nodes and constants that no output needs.
func (g *graph) prune() {
	needed := map[string]bool{}
	for _, p := range g.outputs {
		needed[p.name] = true
	}
	kept := g.nodes[:0:0]
	for _, n := range slices.Backward(g.nodes) {
		if !slices.ContainsFunc(n.outputs, func(name string) bool { return needed[name] }) {
			continue
		}
		kept = append(kept, n)
		for _, name := range n.inputs {
			needed[name] = true
		}
	}
	slices.Reverse(kept)
	g.nodes = kept
	g.initializers = slices.DeleteFunc(g.initializers, func(t *initializer) bool { return !needed[t.name] })
}

// bytes is the size of the constants.
func (g *graph) bytes() int {
	n := 0
	for _, t := range g.initializers {
		n += len(t.data)
	}
	return n
}

// encode writes the ModelProto.
func (g *graph) encode(version string) []byte {
	var body message
	for _, n := range g.nodes {
		body.bytes(1, n.encode())
	}
	body.text(2, g.name)
	for _, t := range g.initializers {
		body.bytes(5, t.encode())
	}
	for i := range g.inputs {
		body.bytes(11, g.inputs[i].encode())
	}
	for i := range g.outputs {
		body.bytes(12, g.outputs[i].encode())
	}
	var domain, m message
	domain.text(1, "")
	domain.number(2, opset)
	m.number(1, irVersion)
	m.text(2, "vitc")
	m.text(3, version)
	m.bytes(7, body)
	m.bytes(8, domain)
	return m
}
