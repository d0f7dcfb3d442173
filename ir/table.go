package ir

import "fmt"

// Class says how the generic readers treat a row.
type Class uint8

// The classes.
const (
	Pointwise  Class = iota // one scalar body for every position
	Source                  // makes values from positions: iota, rng_bits
	Linear                  // dot, reduce, broadcast, rearrange: the rule says everything
	Indexed                 // moves or picks elements: slice, pad, roll, concat, gather, window, ...
	Routine                 // solve: done as a whole, by code of its own
	Control                 // scan, fusion
	Marker                  // grad, stop, fence, reshard: they mean something to a pass
	Collective              // between devices, or about a device's place among them
)

// Row is one op of the table: everything the compiler knows about it.
type Row struct {
	Name    string
	Class   Class
	In, Out int  // operands and results; -1: any number
	Carries bool // each op carries its own rule, printed in its text

	// Attrs makes the row's attribute struct; its exported fields are printed by name.
	Attrs func() any
	// Types gives the result types from operands, rule and attributes. want holds the types
	// that the builder or the text asks for, nil where operands decide.
	Types func(op *Op, want []Type) ([]Type, error)
	// Index computes the rule of a row that does not carry one.
	Index func(op *Op) Rule
	// Shared is the rule by which devices share the op, where neighbours can exchange what its loops
	// need of each other; nil: the rule of its loops.
	Shared func(op *Op) Rule
	// Scalar is the body of a pointwise row over reals, Ints over integers (nil: by Scalar).
	Scalar func(attrs any, x []float64) float64
	Ints   func(x []int64) int64
	// Linear says what the row makes of operands in parts; nil: it reads them whole.
	Linear func(op *Op) Linearity
	// Counts lists the factors along which the row counts positions: where one is cut, a device has
	// to be told by an operand where its block begins.
	Counts func(op *Op) []int
	// Lies gives the sharding of a collective's result from its operand's type, along those axes of
	// Over that have a global meaning on both sides. Every collective row has one.
	Lies func(op *Op, t Type, over []string) (Type, error)
	// Ends are those of a collective that moves data between devices, nil of all other rows.
	Ends *Ends
	// Flops an element of the result costs, 2 a multiply-add.
	Flops int
	// VJP gives the cotangent of each operand from those of the results; nil entries are zero.
	// A nil VJP: no gradient passes.
	VJP func(b *Builder, op *Op, d []*Value) []*Value
}

var table map[string]*Row
var order []*Row

// The rows' VJPs call the builder, which reads the table: hence an init.
func init() {
	table = map[string]*Row{}
	for _, rows := range [][]*Row{unaryRows(), binaryRows(), linearRows(), sourceRows(), indexedRows(), windowRows(), routineRows(), controlRows(), collectiveRows()} {
		for _, r := range rows {
			if table[r.Name] != nil {
				panic("ir: two rows named " + r.Name)
			}
			table[r.Name] = r
			order = append(order, r)
		}
	}
}

// Lookup finds a row by name, nil if there is none.
func Lookup(name string) *Row { return table[name] }

// Rows lists the table in its order.
func Rows() []*Row { return order }

// RuleOf is the op's rule with sizes bound.
func RuleOf(op *Op) Rule {
	if op.Row.Carries {
		return op.Rule
	}
	if op.Row.Index != nil {
		return op.Row.Index(op)
	}
	return Rule{}
}

// SharedRule is the rule by which devices share an op: RuleOf, but of rows that say more.
func SharedRule(op *Op) Rule {
	if op.Row.Shared != nil {
		return op.Row.Shared(op)
	}
	return RuleOf(op)
}

// infer checks an op and gives its result types.
func infer(op *Op, want []Type) ([]Type, error) {
	row := op.Row
	if row.In >= 0 && len(op.In) != row.In {
		return nil, fmt.Errorf("%s takes %d operands, found %d", row.Name, row.In, len(op.In))
	}
	types, err := row.Types(op, want)
	if err == nil {
		err = checkFlights(op, types)
	}
	if err != nil {
		return nil, err
	}
	for i, w := range want {
		if i < len(types) && !types[i].Same(w) {
			return nil, fmt.Errorf("%s gives %s, not %s", row.Name, types[i], w)
		}
	}
	return types, nil
}

func typesOf(vs []*Value) []Type {
	ts := make([]Type, len(vs))
	for i, v := range vs {
		ts[i] = v.Type
	}
	return ts
}
