package hlo

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Error says what is wrong with a file and where.
type Error struct {
	Message string // the message of the format that was being read
	Msg     string
}

func (e *Error) Error() string { return "HLO: " + e.Message + ": " + e.Msg }

func bad(message, format string, args ...any) error {
	return &Error{message, fmt.Sprintf(format, args...)}
}

// field is one field of a message: a number in n, or bytes in data.
type field struct {
	num  protowire.Number
	kind protowire.Type
	n    uint64
	data []byte
}

// each hands the fields of a message to f, in order.
func each(message string, b []byte, f func(field) error) error {
	for len(b) > 0 {
		num, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return bad(message, "damaged or cut off, %d bytes before its end", len(b))
		}
		b = b[n:]
		x := field{num: num, kind: kind}
		switch kind {
		case protowire.VarintType:
			x.n, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			x.data, n = protowire.ConsumeBytes(b)
		default: // nothing of interest has other types
			n = protowire.ConsumeFieldValue(num, kind, b)
		}
		if n < 0 {
			return bad(message, "damaged or cut off, %d bytes before its end", len(b))
		}
		b = b[n:]
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// ints are the numbers of a repeated field, one or packed.
func (x field) ints(message string, to []int64) ([]int64, error) {
	if x.kind == protowire.VarintType {
		return append(to, int64(x.n)), nil
	}
	for b := x.data; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, bad(message, "a damaged list of numbers")
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}

// small turns a number of the file into an int that is a count or an index.
func small(message, what string, v int64) (int, error) {
	const most = 1 << 31
	if v < 0 || v >= most {
		return 0, bad(message, "%s %d", what, v)
	}
	return int(v), nil
}

// smalls is small for lists.
func smalls(message, what string, list []int64) ([]int, error) {
	out := make([]int, len(list))
	for i, v := range list {
		n, err := small(message, what, v)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}
