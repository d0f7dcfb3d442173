package passes

import (
	"vitc/ir"
	"vitc/ir/diag"
)

// Derivation says of one function why its values lie as they do: what propagate was told of each
// cut, and what it moved. Values and ops are those of the module that propagate found: sizes are of
// all devices together.
type Derivation struct {
	Func   *ir.Func
	Seeds  []Seed
	Moves  []Moved
	homes  *homes
	causes map[*ir.Value][]*Cause
	lost   map[*ir.Value][]Lost
}

// Cause is why a dim of a value is cut: a line of the plan, or a value beside it in an op or at a
// loop's border.
type Cause struct {
	Line   int       // of the plan's Shard; -1: it follows from From
	From   *ir.Value // whose dim Dim is cut so
	Dim    int
	Op     *ir.Op // that has both; nil for a line of the plan
	Factor byte   // of the op's rule, that both dims are made of; 0 at a loop's border
	Over   []string
}

// Lost is a cut that a value was not given.
type Lost struct {
	Dim    int
	Over   []string
	Cause  Cause
	Reason string
}

// Moved is a value that was brought from one sharding to another.
type Moved struct {
	Value    *ir.Value
	From, To *ir.Sharding
	For      *ir.Op    // that needs it so; nil: the function's or a loop's result
	Pos      *diag.Loc // of the reshard, and of the collectives that it becomes
	Steps    []MoveStep
	Times    int // a call of the function: turns of the loops around
}

// MoveStep is one collective, or a cut, which moves nothing.
type MoveStep struct {
	Row     string   `json:"row"`
	Dim     int      `json:"-"`
	Over    []string `json:"over"`
	Operand float64  `json:"operand_bytes"` // of a device
	Bytes   float64  `json:"bytes"`         // across its busiest link, each time
	Seconds float64  `json:"seconds"`       // on the links, each time
}

func newDerivation(f *ir.Func, seeds []Seed) *Derivation {
	return &Derivation{Func: f, Seeds: seeds, causes: map[*ir.Value][]*Cause{}, lost: map[*ir.Value][]Lost{}}
}

// Home is how a value lies where nothing moves it.
func (d *Derivation) Home(v *ir.Value) *ir.Sharding { return d.homes.sharding(v) }

// Activation reports whether examples lie along a dim of a value.
func (d *Derivation) Activation(v *ir.Value) bool { return d.homes.reached.value(v) }

// Cause is why a dim is cut, nil where it is whole.
func (d *Derivation) Cause(v *ir.Value, dim int) *Cause {
	if d.causes[v] == nil {
		return nil
	}
	return d.causes[v][dim]
}

// Lost lists what a value's dims were not cut along, and why.
func (d *Derivation) Lost(v *ir.Value) []Lost { return d.lost[v] }

// caused remembers why a dim was cut; it is for a nil Derivation too, which remembers nothing.
func (d *Derivation) caused(v *ir.Value, dim int, c Cause) {
	if d == nil {
		return
	}
	if d.causes[v] == nil {
		d.causes[v] = make([]*Cause, v.Type.Rank())
	}
	d.causes[v][dim] = &c
}

// missed remembers a cut that was refused, once.
func (d *Derivation) missed(v *ir.Value, dim int, c Cause, reason string) {
	if d == nil {
		return
	}
	for _, l := range d.lost[v] {
		if l.Dim == dim && l.Reason == reason {
			return
		}
	}
	d.lost[v] = append(d.lost[v], Lost{dim, c.Over, c, reason})
}

// moved remembers a reshard.
func (d *Derivation) moved(s *scope, v, x *ir.Value, to *ir.Sharding) {
	if d == nil {
		return
	}
	from := x.Type.Shard
	m := Moved{Value: v, From: from, To: to, For: s.asker, Pos: s.posOf(x), Times: s.turns}
	model := s.p.routes.model
	for _, x := range s.p.routes.route(v.Type, from, to).moves {
		moved, _ := model.Traffic(x.row, x.bytes, x.over)
		m.Steps = append(m.Steps, MoveStep{Row: x.row, Dim: x.dim, Over: x.over, Operand: x.bytes, Bytes: moved, Seconds: model.Move(x.row, x.bytes, x.over)})
	}
	d.Moves = append(d.Moves, m)
}
