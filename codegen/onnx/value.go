package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"vitc/ir"
)

// value is a tensor of the graph, its dims as in the IR. A constant has its bytes in data, and is
// written when a node asks for its name.
type value struct {
	t    ir.Type
	name string
	data []byte
	// thin marks dims that have the size 1 in the graph, the same element everywhere: ONNX's
	// pointwise operators spread them. nil: none.
	thin []bool
}

// emit writes a node of one result.
func (e *emitter) emit(op string, t ir.Type, inputs []string, attributes ...attribute) *value {
	return &value{t: t, name: e.node(op, inputs, attributes...)}
}

// node writes a node and returns the name of its result, which tells where in the model it stands.
func (e *emitter) node(op string, inputs []string, attributes ...attribute) string {
	place := "graph"
	if e.at != nil && e.at.Pos != nil && e.at.Pos.Path != "" {
		place = e.at.Pos.Path
	}
	name := e.unique(place + e.turns + "/" + op)
	e.g.nodes = append(e.g.nodes, &node{op: op, name: name, inputs: inputs, outputs: []string{name}, attributes: attributes})
	return name
}

// constant tells constants apart: by where their bytes lie, and by what these are taken for.
type constant struct {
	data *byte
	form string
}

// name is what nodes call a value.
func (e *emitter) name(v *value) string {
	if v.data == nil {
		return v.name
	}
	key := constant{unsafe.SliceData(v.data), fmt.Sprint(v.t.DType, v.graphShape())}
	if e.constants[key] == "" {
		name := e.unique(v.name)
		e.constants[key] = name
		e.g.initializers = append(e.g.initializers, &initializer{name, elementTypes[v.t.DType], v.graphShape(), v.data})
	}
	return e.constants[key]
}

func (e *emitter) nameList(vs ...*value) []string {
	names := make([]string, len(vs))
	for i, v := range vs {
		names[i] = e.name(v)
	}
	return names
}

// graphShape is the shape that the graph's tensor has.
func (v *value) graphShape() []int {
	s := v.t.Shape()
	for i := range s {
		if v.isThin(i) {
			s[i] = 1
		}
	}
	return s
}

func (v *value) isThin(dim int) bool { return v.thin != nil && v.thin[dim] }

// scalar is a literal as a constant of rank 0, each written once.
func (e *emitter) scalar(d ir.DType, x float64) string {
	key := fmt.Sprintf("%s %x", d, math.Float64bits(x))
	if e.scalars[key] == "" {
		name := e.unique(fmt.Sprintf("literal/%s/%g", d, x))
		e.scalars[key] = name
		e.g.initializers = append(e.g.initializers, &initializer{name, elementTypes[d], nil, element(d, x)})
	}
	return e.scalars[key]
}

// element is a number's bytes.
func element(d ir.DType, x float64) []byte {
	switch d {
	case ir.F32:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(x)))
	case ir.BF16:
		return binary.LittleEndian.AppendUint16(nil, uint16(math.Float32bits(float32(x))>>16))
	case ir.I32:
		return binary.LittleEndian.AppendUint32(nil, uint32(int32(x)))
	case ir.U32:
		return binary.LittleEndian.AppendUint32(nil, uint32(x))
	}
	return []byte{byte(x)}
}

// ints is a constant list of int64, as shapes and axes are given; each is written once.
func (e *emitter) ints(list ...int) string {
	return e.intTensor(list, []int{len(list)})
}

func (e *emitter) intTensor(list, dims []int) string {
	key := fmt.Sprint("ints ", list, dims)
	if e.scalars[key] == "" {
		name := e.unique("constant/ints")
		e.scalars[key] = name
		var data []byte
		for _, n := range list {
			data = binary.LittleEndian.AppendUint64(data, uint64(n))
		}
		e.g.initializers = append(e.g.initializers, &initializer{name, elementInt64, dims, data})
	}
	return e.scalars[key]
}

// full is a value without thin dims.
func (e *emitter) full(v *value) *value {
	if v == nil || !slices.Contains(v.thin, true) {
		return v
	}
	parts, sizes := []string(nil), []int(nil)
	flush := func() {
		if len(sizes) > 0 {
			parts = append(parts, e.ints(sizes...))
		}
		sizes = nil
	}
	for i, d := range v.t.Dims {
		switch {
		case !v.thin[i]:
			sizes = append(sizes, 1) // what is there stays
		case open(d):
			if d.Size != AnyBatch {
				e.fail("%s has a dim joined from the open batch", v.t)
			}
			flush()
			parts = append(parts, e.batchSize())
		default:
			sizes = append(sizes, d.Size)
		}
	}
	flush()
	shape := parts[0]
	if len(parts) > 1 {
		shape = e.node("Concat", parts, attribute{"axis", 0})
	}
	return e.emit("Expand", v.t, []string{e.name(v), shape})
}

// batchSize is the tensor i64[1] with the open batch.
func (e *emitter) batchSize() string {
	if e.batch == "" {
		if e.source == nil {
			e.fail("no input has the batch")
			return ""
		}
		e.batch = e.node("Shape", []string{e.source.name}, attribute{"start", e.sourceDim}, attribute{"end", e.sourceDim + 1})
	}
	return e.batch
}

// reshaped gives a value other dims over the same elements, in order.
func (e *emitter) reshaped(v *value, dims []ir.Dim) *value {
	t := ir.Type{DType: v.t.DType, Dims: dims}
	switch {
	case v.t.SameShape(t):
		return &value{t: t, name: v.name, data: v.data}
	case v.data != nil:
		return &value{t: t, name: v.name, data: v.data}
	}
	sizes, opens := t.Shape(), 0
	for i, d := range dims {
		if open(d) {
			sizes[i] = -1
			opens++
		}
	}
	if opens > 1 {
		e.fail("%s has two dims of the open batch", t)
	}
	return e.emit("Reshape", t, []string{e.name(v), e.ints(sizes...)})
}

// transposed reorders dims: dim i of the result is dim perm[i] of v. Constants are reordered here.
func (e *emitter) transposed(v *value, perm []int) *value {
	if slices.IsSorted(perm) {
		return v
	}
	t := ir.Type{DType: v.t.DType, Dims: make([]ir.Dim, len(perm))}
	for i, p := range perm {
		t.Dims[i] = v.t.Dims[p]
	}
	if v.data != nil {
		return &value{t: t, name: v.name, data: permuted(v, perm, t)}
	}
	return e.emit("Transpose", t, e.nameList(v), attribute{"perm", perm})
}

// permuted copies a constant's elements in the order of a transposed type.
func permuted(v *value, perm []int, t ir.Type) []byte {
	size := v.t.DType.Bytes()
	strides := v.t.Strides()
	out := make([]byte, 0, len(v.data))
	at := make([]int, len(perm))
	place := 0
	for range t.Size() {
		out = append(out, v.data[place*size:(place+1)*size]...)
		for k := len(perm) - 1; k >= 0; k-- {
			at[k]++
			place += strides[perm[k]]
			if at[k] < t.Dims[k].Size {
				break
			}
			place -= at[k] * strides[perm[k]]
			at[k] = 0
		}
	}
	return out
}

// turn is one turn's slice of a value that a loop is cut along.
func (e *emitter) turn(v *value, i int) *value {
	t := ir.EachType(v.t)
	if v.data != nil {
		n := t.Bytes()
		return &value{t: t, name: fmt.Sprintf("%s.%d", v.name, i), data: v.data[i*n : (i+1)*n : (i+1)*n]}
	}
	v = e.full(v)
	return e.emit("Gather", t, []string{e.name(v), e.intTensor([]int{i}, nil)}, attribute{"axis", 0})
}
