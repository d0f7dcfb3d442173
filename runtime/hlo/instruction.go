package hlo

import (
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// instruction reads an HloInstructionProto into a computation.
func (r *reader) instruction(c *rawComputation, b []byte) error {
	const message = "HloInstructionProto"
	in := &Instruction{Config: Config{Cycles: -1}}
	id, refs := int64(0), references{}
	err := each(message, b, func(f field) (err error) {
		switch f.num {
		case 35:
			id = int64(f.n)
		case 36:
			refs.operands, err = f.ints(message, refs.operands)
		case 38:
			refs.called, err = f.ints(message, refs.called)
		default:
			err = r.part(in, f)
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.instructions[id] != nil || len(r.instructions) == mostInstructions {
		return bad(message, "two instructions have the id %d, or there are more than %d", id, mostInstructions)
	}
	r.instructions[id] = in
	c.Instructions, c.ids, c.refs = append(c.Instructions, in), append(c.ids, id), append(c.refs, refs)
	return nil
}

// part reads what stands in an instruction itself.
func (r *reader) part(in *Instruction, f field) (err error) {
	const message = "HloInstructionProto"
	switch f.num {
	case 1:
		in.Name = string(f.data)
	case 2:
		in.Opcode = string(f.data)
	case 3:
		in.Shape, err = readShape(f.data, 0)
	case 7:
		in.Source, err = r.frames.source(f.data)
	case 8:
		in.Constant, err = readConstant(f.data)
	case 9:
		in.Parameter, err = small(message, "parameter", int64(f.n))
	case 13:
		in.TupleIndex, err = small(message, "tuple index", int64(f.n))
	case 28:
		in.CustomTarget = string(f.data)
	case 43:
		in.Config.read(f.data)
	case 49: // replica_groups, of programs older than lists of devices
		if in.Groups == nil {
			in.Groups = &Groups{}
			in.Groups.first, err = readList(f.data)
		}
	case 52:
		err = in.pair(f.data)
	case 87:
		in.Groups, err = readGroups(f.data)
	case 92:
		in.Groups = &Groups{}
		in.Groups.grid, err = readRange(f.data)
	case 93:
		in.Groups, err = readMeshGroups(f.data)
	}
	return err
}

// pair reads a SourceTarget.
func (in *Instruction) pair(b []byte) error {
	const message = "SourceTarget"
	var pair [2]int
	err := each(message, b, func(f field) (err error) {
		if f.num == 1 || f.num == 2 {
			pair[f.num-1], err = small(message, "partition", int64(f.n))
		}
		return err
	})
	in.Pairs = append(in.Pairs, pair)
	return err
}

// maxDepth of tuples in tuples.
const maxDepth = 16

// readShape reads a ShapeProto.
func readShape(b []byte, depth int) (Shape, error) {
	const message = "ShapeProto"
	s := Shape{}
	err := each(message, b, func(f field) (err error) {
		switch f.num {
		case 2:
			e, ok := elements[f.n]
			if !ok {
				return bad(message, "element type %d is not known", f.n)
			}
			s.Type = e.name
		case 3:
			s.Dims, err = f.ints(message, s.Dims)
		case 4:
			if depth == maxDepth {
				return bad(message, "tuples in tuples, deeper than %d", maxDepth)
			}
			var member Shape
			member, err = readShape(f.data, depth+1)
			s.Members = append(s.Members, member)
		case 5:
			err = s.layout(f.data)
		}
		return err
	})
	if err != nil {
		return s, err
	}
	for _, d := range s.Dims {
		if _, err := small(message, "dimension", d); err != nil {
			return s, err
		}
	}
	return s, s.checkOrder()
}

// layout reads a LayoutProto.
func (s *Shape) layout(b []byte) error {
	const message = "LayoutProto"
	return each(message, b, func(f field) (err error) {
		switch f.num {
		case 1:
			var order []int64
			if order, err = f.ints(message, nil); err == nil {
				var more []int
				more, err = smalls(message, "dimension", order)
				s.Order = append(s.Order, more...)
			}
		case 6:
			if s.Tile == nil { // later tiles divide the first
				var lists map[protowire.Number][]int64
				lists, err = readInts(message, f.data)
				s.Tile = lists[1]
			}
		case 8:
			s.Space, err = small(message, "memory space", int64(f.n))
		}
		return err
	})
}

// checkOrder makes sure that the layout names each dimension once.
func (s *Shape) checkOrder() error {
	if s.Order == nil {
		return nil
	}
	seen := make([]bool, len(s.Dims))
	for _, d := range s.Order {
		if d >= len(seen) || seen[d] {
			return bad("LayoutProto", "an order %d of %d dimensions", s.Order, len(s.Dims))
		}
		seen[d] = true
	}
	if len(s.Order) != len(s.Dims) {
		return bad("LayoutProto", "an order %d of %d dimensions", s.Order, len(s.Dims))
	}
	return nil
}

// readConstant reads a LiteralProto that is one integer; others are nil.
func readConstant(b []byte) (*int64, error) {
	const message = "LiteralProto"
	var list []int64
	scalar := true
	err := each(message, b, func(f field) (err error) {
		switch f.num {
		case 1:
			var s Shape
			s, err = readShape(f.data, 0)
			scalar = len(s.Dims) == 0
		case 4, 5, 6, 7: // s32s, s64s, u32s, u64s
			list, err = f.ints(message, list)
		}
		return err
	})
	if err != nil || !scalar || len(list) != 1 {
		return nil, err
	}
	return &list[0], nil
}

// read reads the JSON of backend_config. A configuration in another form says nothing to us.
func (c *Config) read(b []byte) {
	var j struct {
		Window struct {
			Cycles json.RawMessage `json:"estimated_cycles"`
		} `json:"window_config"`
		Trip struct {
			N json.RawMessage `json:"n"`
		} `json:"known_trip_count"`
		Collective struct {
			Emitter string `json:"emitter"`
			Debug   string `json:"debug"`
		} `json:"collective_algorithm_config"`
	}
	if len(b) == 0 || b[0] != '{' || json.Unmarshal(b, &j) != nil {
		return
	}
	if n, ok := number(j.Window.Cycles); ok {
		c.Cycles = n
	}
	if n, ok := number(j.Trip.N); ok {
		c.TripCount = int(min(n, 1<<31))
	}
	c.Emitter, c.Strategy = j.Collective.Emitter, j.Collective.Debug
}

// number reads 64-bit numbers of JSON, which stand in quotes as a rule.
func number(raw json.RawMessage) (float64, bool) {
	text := string(raw)
	if len(text) > 1 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return float64(n), err == nil
}
