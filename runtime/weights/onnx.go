package weights

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// The numbers of fields in ONNX's messages (onnx/onnx.proto of ONNX 1.x).
const (
	modelGraph       = 7
	graphNode        = 1
	graphInitializer = 5
	graphSparse      = 15
	nodeInput        = 1
	nodeName         = 3
	tensorDims       = 1
	tensorType       = 2
	tensorSegment    = 3
	tensorFloats     = 4
	tensorInt32s     = 5
	tensorInt64s     = 7
	tensorName       = 8
	tensorRaw        = 9
	tensorDoubles    = 10
	tensorUint64s    = 11
	tensorExternal   = 13
	tensorLocation   = 14
)

// onnxTypes maps TensorProto.DataType.
var onnxTypes = map[uint64]safetensors.DType{
	1: safetensors.F32, 2: safetensors.U8, 3: safetensors.I8, 4: safetensors.U16, 5: safetensors.I16, 6: safetensors.I32,
	7: safetensors.I64, 9: safetensors.Bool, 10: safetensors.F16, 11: safetensors.F64, 12: safetensors.U32, 13: safetensors.U64, 16: safetensors.BF16,
}

// maxOnnx is protobuf's own bound of a message.
const maxOnnx = 1<<31 - 1

// onnxFile holds a model's initialisers. The file is read whole: protobuf cannot be skipped
// through without reading it.
type onnxFile struct {
	table
	data map[string][]byte
}

// onnxReader reads the messages of one file.
type onnxReader struct {
	*onnxFile
	users map[string][]string // where an initialiser is an input: NODE:INDEX
}

// newOnnx reads the initialisers of a model's graph. Exporters fold transposed weights into new
// initialisers with made-up names, onnx::MatMul_123; one that a single node uses is called by
// the node instead: /encoder/layer.0/mlp/fc1/MatMul:1 is input 1 of that node.
func newOnnx(name string, r io.ReaderAt, size int64) (File, error) {
	if size > maxOnnx {
		return nil, &fault.Error{Where: name, Msg: "the model is too large", Expected: fmt.Sprintf("at most %d bytes", maxOnnx), Found: strconv.FormatInt(size, 10)}
	}
	text := make([]byte, size)
	if n, err := r.ReadAt(text, 0); n < len(text) {
		return nil, &fault.Error{Where: name, Msg: "cannot read", Err: err}
	}
	o := &onnxReader{&onnxFile{table{name: name}, map[string][]byte{}}, map[string][]string{}}
	graphs := 0
	err := o.fields("model", text, func(n protowire.Number, v field) error {
		if n == modelGraph {
			graphs++
			return o.graph(v.bytes)
		}
		return nil
	})
	if err == nil && graphs != 1 {
		err = &fault.Error{Where: name, Msg: "not an ONNX model", Expected: "one graph", Found: strconv.Itoa(graphs)}
	}
	if err != nil {
		return nil, err
	}
	o.renamed()
	return o.onnxFile, o.sorted()
}

// field is the value of a field: a number, or bytes.
type field struct {
	number uint64
	bytes  []byte
	typ    protowire.Type
}

// fields calls each for every field of a message.
func (o *onnxReader) fields(what string, msg []byte, each func(protowire.Number, field) error) error {
	for len(msg) > 0 {
		n, typ, used := protowire.ConsumeTag(msg)
		if used < 0 {
			return o.malformed(what, protowire.ParseError(used))
		}
		msg = msg[used:]
		v := field{typ: typ}
		switch typ {
		case protowire.VarintType:
			v.number, used = protowire.ConsumeVarint(msg)
		case protowire.BytesType:
			v.bytes, used = protowire.ConsumeBytes(msg)
		default:
			if used = protowire.ConsumeFieldValue(n, typ, msg); used >= 0 {
				v.bytes = msg[:used]
			}
		}
		if used < 0 {
			return o.malformed(what, protowire.ParseError(used))
		}
		if err := each(n, v); err != nil {
			return err
		}
		msg = msg[used:]
	}
	return nil
}

func (o *onnxReader) malformed(what string, err error) error {
	return &fault.Error{Where: o.name, Msg: "malformed " + what + " of an ONNX model", Err: err}
}

func (o *onnxReader) graph(msg []byte) error {
	return o.fields("graph", msg, func(n protowire.Number, v field) error {
		switch n {
		case graphNode:
			return o.node(v.bytes)
		case graphInitializer:
			return o.initialiser(v.bytes)
		case graphSparse:
			return &fault.Error{Where: o.name, Msg: "sparse initialisers are not read", Fix: "export the model with dense ones"}
		}
		return nil
	})
}

func (o *onnxReader) node(msg []byte) error {
	var inputs []string
	var name string
	err := o.fields("node", msg, func(n protowire.Number, v field) error {
		switch n {
		case nodeInput:
			inputs = append(inputs, string(v.bytes))
		case nodeName:
			name = string(v.bytes)
		}
		return nil
	})
	for i, input := range inputs {
		o.users[input] = append(o.users[input], fmt.Sprintf("%s:%d", name, i))
	}
	return err
}

// renamed gives initialisers of made-up names those of their only users.
func (o *onnxReader) renamed() {
	for i, t := range o.list {
		users := o.users[t.Name]
		if !strings.HasPrefix(t.Name, "onnx::") || len(users) != 1 || strings.HasPrefix(users[0], ":") || o.data[users[0]] != nil {
			continue
		}
		o.data[users[0]] = o.data[t.Name]
		delete(o.data, t.Name)
		o.list[i].Name = users[0]
	}
}

// proto is a TensorProto: its elements in raw bytes, or in one of the typed fields.
type proto struct {
	info     Info
	raw      []byte
	hasRaw   bool
	floats   []byte // packed, little-endian
	doubles  []byte
	varints  []uint64
	external bool
	segment  bool
}

func (o *onnxReader) initialiser(msg []byte) error {
	t := &proto{info: Info{Shape: []int{}}}
	kind := uint64(0)
	err := o.fields("initialiser", msg, func(n protowire.Number, v field) error {
		if n == tensorType {
			kind = v.number
		}
		return t.field(n, v)
	})
	if err != nil {
		return o.malformed("initialiser", err)
	}
	if t.external {
		return o.fault(t.info.Name, "its data is in another file", "data within the model", "external data", "save the model in one file: onnx.save_model(m, path, save_as_external_data=False)")
	}
	if t.segment {
		return o.fault(t.info.Name, "tensors in segments are not read", "", "", "")
	}
	ok := false
	if t.info.DType, ok = onnxTypes[kind]; !ok {
		return o.fault(t.info.Name, "unknown element type", "floats or integers of 8 to 64 bits", fmt.Sprintf("type %d", kind), "")
	}
	return o.keep(t)
}

func (o *onnxReader) fault(tensor, msg, expected, found, fix string) error {
	return &fault.Error{Where: o.name + ": tensor " + Quote(tensor), Msg: msg, Expected: expected, Found: found, Fix: fix}
}

// field notes one field of a TensorProto. Repeated numbers come packed, or one by one.
func (t *proto) field(n protowire.Number, v field) error {
	switch n {
	case tensorName:
		t.info.Name = string(v.bytes)
	case tensorDims:
		sizes, err := v.varints()
		for _, s := range sizes {
			if int64(s) < 0 || len(t.info.Shape) == maxNpyRank {
				return fmt.Errorf("expected at most %d sizes of at least 0, found %d", maxNpyRank, int64(s))
			}
			t.info.Shape = append(t.info.Shape, int(s))
		}
		return err
	case tensorRaw:
		t.raw, t.hasRaw = v.bytes, true
	case tensorFloats:
		t.floats = append(t.floats, v.bytes...)
	case tensorDoubles:
		t.doubles = append(t.doubles, v.bytes...)
	case tensorInt32s, tensorInt64s, tensorUint64s:
		list, err := v.varints()
		t.varints = append(t.varints, list...)
		return err
	case tensorSegment:
		t.segment = true
	case tensorExternal:
		t.external = true
	case tensorLocation:
		t.external = t.external || v.number == 1
	}
	return nil
}

// varints reads numbers that come packed, or one.
func (v field) varints() ([]uint64, error) {
	if v.typ == protowire.VarintType {
		return []uint64{v.number}, nil
	}
	var out []uint64
	for msg := v.bytes; len(msg) > 0; {
		x, used := protowire.ConsumeVarint(msg)
		if used < 0 {
			return nil, protowire.ParseError(used)
		}
		out = append(out, x)
		msg = msg[used:]
	}
	return out, nil
}

// keep lays a tensor's elements out as bytes, and compares their number with the shape.
func (o *onnxReader) keep(t *proto) error {
	want, err := o.bytesOf(t.info)
	if err != nil {
		return err
	}
	data := t.raw
	if !t.hasRaw {
		data = t.typed()
	}
	if int64(len(data)) != want {
		return o.fault(t.info.Name, "its data has another size", fmt.Sprintf("%d bytes for %s", want, clip(t.info.String())), strconv.Itoa(len(data)), "")
	}
	if o.data[t.info.Name] != nil {
		return o.fault(t.info.Name, "two tensors of one name", "", "", "")
	}
	o.data[t.info.Name] = append([]byte{}, data...) // never nil; lets the file's text go
	o.list = append(o.list, t.info)
	return nil
}

// typed makes bytes of the typed fields: halves and small integers come as varints.
func (t *proto) typed() []byte {
	switch t.info.DType {
	case safetensors.F32:
		return t.floats
	case safetensors.F64:
		return t.doubles
	}
	size := t.info.DType.Size()
	out := make([]byte, 0, size*len(t.varints))
	for _, x := range t.varints {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], x)
		out = append(out, b[:size]...)
	}
	return out
}

// Read returns the bytes of an initialiser.
func (f *onnxFile) Read(name string) ([]byte, error) {
	data, ok := f.data[name]
	if !ok {
		return nil, f.fault(name, "no such tensor", "", fmt.Sprintf("%d others", len(f.list)))
	}
	return slices.Clone(data), nil
}
