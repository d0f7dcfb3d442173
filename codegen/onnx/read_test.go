package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// A reader of what the exporter writes, apart from it: fields by their numbers in onnx.proto.

// field is one field of a message, a number or bytes.
type field struct {
	id    protowire.Number
	num   uint64
	bytes []byte
}

func fields(t *testing.T, b []byte) []field {
	t.Helper()
	var list []field
	for len(b) > 0 {
		id, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		f := field{id: id}
		switch kind {
		case protowire.VarintType:
			f.num, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var x uint32
			x, n = protowire.ConsumeFixed32(b)
			f.num = uint64(x)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("wire type %d", kind)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		list = append(list, f)
	}
	return list
}

// listing prints a model: its header, inputs, constants, nodes and outputs, a line each.
func listing(t *testing.T, model []byte) string {
	t.Helper()
	var b strings.Builder
	for _, f := range fields(t, model) {
		switch f.id {
		case 1:
			fmt.Fprintf(&b, "ir_version %d\n", f.num)
		case 2, 3:
			fmt.Fprintf(&b, "producer %s\n", f.bytes)
		case 7:
			graphListing(t, &b, f.bytes)
		case 8:
			fmt.Fprintf(&b, "opset %d\n", fields(t, f.bytes)[1].num)
		}
	}
	return b.String()
}

func graphListing(t *testing.T, b *strings.Builder, graph []byte) {
	t.Helper()
	for _, f := range fields(t, graph) {
		switch f.id {
		case 1:
			nodeListing(t, b, f.bytes)
		case 2:
			fmt.Fprintf(b, "graph %s\n", f.bytes)
		case 5:
			constantListing(t, b, f.bytes)
		case 11:
			portListing(t, b, "input", f.bytes)
		case 12:
			portListing(t, b, "output", f.bytes)
		}
	}
}

func nodeListing(t *testing.T, b *strings.Builder, node []byte) {
	t.Helper()
	var in, out, attributes []string
	op := ""
	for _, f := range fields(t, node) {
		switch f.id {
		case 1:
			in = append(in, string(f.bytes))
		case 2:
			out = append(out, string(f.bytes))
		case 4:
			op = string(f.bytes)
		case 5:
			attributes = append(attributes, attributeListing(t, f.bytes))
		}
	}
	fmt.Fprintf(b, "%s = %s(%s)", strings.Join(out, ", "), op, strings.Join(in, ", "))
	for _, a := range attributes {
		b.WriteString(" " + a)
	}
	b.WriteString("\n")
}

func attributeListing(t *testing.T, a []byte) string {
	t.Helper()
	name, value := "", ""
	var ints []int64
	for _, f := range fields(t, a) {
		switch f.id {
		case 1:
			name = string(f.bytes)
		case 2:
			value = fmt.Sprint(math.Float32frombits(uint32(f.num)))
		case 3:
			value = fmt.Sprint(int64(f.num))
		case 4:
			value = string(f.bytes)
		case 8:
			ints = append(ints, int64(f.num))
		case 20:
			if f.num == attributeInts {
				value = fmt.Sprint(ints)
			}
		}
	}
	return name + "=" + value
}

func constantListing(t *testing.T, b *strings.Builder, tensor []byte) {
	t.Helper()
	var dims []uint64
	var kind uint64
	name := ""
	var data []byte
	for _, f := range fields(t, tensor) {
		switch f.id {
		case 1:
			dims = append(dims, f.num)
		case 2:
			kind = f.num
		case 8:
			name = string(f.bytes)
		case 9:
			data = f.bytes
		}
	}
	fmt.Fprintf(b, "constant %s: type %d %v =%s\n", name, kind, dims, numbers(kind, data))
}

func numbers(kind uint64, data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		switch kind {
		case 1:
			fmt.Fprintf(&b, " %g", math.Float32frombits(binary.LittleEndian.Uint32(data)))
			data = data[4:]
		case 6:
			fmt.Fprintf(&b, " %d", int32(binary.LittleEndian.Uint32(data)))
			data = data[4:]
		case 7:
			fmt.Fprintf(&b, " %d", int64(binary.LittleEndian.Uint64(data)))
			data = data[8:]
		default:
			fmt.Fprintf(&b, " %d", data[0])
			data = data[1:]
		}
	}
	return b.String()
}

func portListing(t *testing.T, b *strings.Builder, what string, p []byte) {
	t.Helper()
	parts := fields(t, p)
	tensor := fields(t, fields(t, parts[1].bytes)[0].bytes)
	fmt.Fprintf(b, "%s %s: type %d [", what, parts[0].bytes, tensor[0].num)
	for i, dim := range fields(t, tensor[1].bytes) {
		if i > 0 {
			b.WriteString(", ")
		}
		if size := fields(t, dim.bytes)[0]; size.id == 1 {
			fmt.Fprintf(b, "%d", size.num)
		} else {
			b.Write(size.bytes)
		}
	}
	b.WriteString("]\n")
}
