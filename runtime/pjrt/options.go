package pjrt

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// CompileOptions say for which devices a program is compiled and how.
type CompileOptions struct {
	Partitions int   // devices that run the program together, each its part; 0: one
	Assignment []int // partition to device id; nil: 0, 1, 2, ...
	Shardy     bool  // the program carries shardings of the sdy dialect
	Flags      []Attribute
}

// The fields of CompileOptionsProto, ExecutableBuildOptionsProto, DeviceAssignmentProto and
// OptionOverrideProto that are written.
const (
	fieldBuild     protowire.Number = 3
	fieldOverrides protowire.Number = 7

	fieldOrdinal     protowire.Number = 1
	fieldReplicas    protowire.Number = 4
	fieldPartitions  protowire.Number = 5
	fieldPartitioner protowire.Number = 6
	fieldAssignment  protowire.Number = 9
	fieldShardy      protowire.Number = 19

	fieldReplicaCount  protowire.Number = 1
	fieldComputations  protowire.Number = 2
	fieldComputation   protowire.Number = 3
	fieldComputationID protowire.Number = 1

	fieldString protowire.Number = 1
	fieldBool   protowire.Number = 2
	fieldInt    protowire.Number = 3
	fieldDouble protowire.Number = 4
)

// Encode writes the options as a CompileOptionsProto. The same options give the same bytes.
func (o CompileOptions) Encode() ([]byte, error) {
	n := max(o.Partitions, 1)
	if o.Assignment != nil && len(o.Assignment) != n {
		return nil, fmt.Errorf("a device assignment of %d devices for %d partitions", len(o.Assignment), n)
	}
	none := int64(-1) // no single device
	build := appendInt(nil, fieldOrdinal, uint64(none))
	build = appendInt(build, fieldReplicas, 1)
	build = appendInt(build, fieldPartitions, uint64(n))
	if n > 1 {
		build = appendInt(build, fieldPartitioner, 1)
	}
	build = appendBytes(build, fieldAssignment, o.assignment(n))
	if o.Shardy {
		build = appendInt(build, fieldShardy, 1)
	}
	out := appendBytes(nil, fieldBuild, build)
	for _, f := range o.Flags {
		value, err := override(f.Value)
		if err != nil {
			return nil, fmt.Errorf("flag %s: %w", f.Name, err)
		}
		entry := appendBytes(appendBytes(nil, 1, []byte(f.Name)), 2, value)
		out = appendBytes(out, fieldOverrides, entry)
	}
	return out, nil
}

func (o CompileOptions) assignment(n int) []byte {
	b := appendInt(nil, fieldReplicaCount, 1)
	b = appendInt(b, fieldComputations, uint64(n))
	for i := range n {
		id := i
		if o.Assignment != nil {
			id = o.Assignment[i]
		}
		packed := protowire.AppendVarint(nil, uint64(id))
		b = appendBytes(b, fieldComputation, appendBytes(nil, fieldComputationID, packed))
	}
	return b
}

func override(value any) ([]byte, error) {
	switch x := value.(type) {
	case string:
		return appendBytes(nil, fieldString, []byte(x)), nil
	case bool:
		return appendInt(nil, fieldBool, protowire.EncodeBool(x)), nil
	case int64:
		return appendInt(nil, fieldInt, uint64(x)), nil
	case float64:
		return protowire.AppendFixed64(protowire.AppendTag(nil, fieldDouble, protowire.Fixed64Type), math.Float64bits(x)), nil
	}
	return nil, fmt.Errorf("a value of type %T", value)
}

func appendInt(b []byte, f protowire.Number, x uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, f, protowire.VarintType), x)
}

func appendBytes(b []byte, f protowire.Number, x []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, f, protowire.BytesType), x)
}
