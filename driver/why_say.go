package driver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

// what names a value: the leaf or input that it is, else the op that makes it, and where.
func (x *explainer) what(v *ir.Value) string {
	if name := x.names[v]; name != "" {
		return name
	}
	kind := "a value of a loop"
	if v.Def != nil {
		kind = opText(v.Def)
	}
	if v.Name != "" {
		kind = "%" + v.Name + ", " + kind
	}
	return kind + at(v.Pos)
}

// at is a place in words: its line, and the instance.
func at(l *diag.Loc) string {
	switch {
	case l == nil || !l.Valid():
		return ""
	case l.Path == "":
		return " at " + l.Pos.String()
	}
	return fmt.Sprintf(" at %s (%s)", l.Pos, l.Path)
}

// opText is an op with the rule that it carries.
func opText(op *ir.Op) string {
	text := op.Row.Name
	if op.Row.Carries {
		text += " " + op.Rule.String()
	}
	if a, ok := op.Attrs.(*ir.ScanAttrs); ok {
		text = fmt.Sprintf("the loop of %d turns", a.Length)
	}
	return text
}

// because leads from a dim to the line of the plan that cuts it.
func (x *explainer) because(v *ir.Value, dim int) []string {
	c := x.d.Cause(v, dim)
	if c == nil {
		return []string{x.whole(v, dim)}
	}
	const longest = 64 // a way of a fixed point may be long; its end says the most
	var steps []string
	for ; c.Line < 0 && len(steps) < longest; c = x.d.Cause(c.From, c.Dim) {
		steps = append(steps, x.cause(c))
	}
	return append(steps, x.cause(c))
}

// cause is one step of it.
func (x *explainer) cause(c *passes.Cause) string {
	switch {
	case c.Line >= 0:
		l := x.plan.Shard[c.Line]
		return fmt.Sprintf("the plan's line `%s` at %s", lineText(l), l.Pos)
	case c.Factor == 0:
		return fmt.Sprintf("as %s, bound to it by %s%s", x.brief(c.From), opText(c.Op), at(c.Op.Pos))
	}
	return fmt.Sprintf("as %s of %s, by factor %c of %s%s", c.From.Type.Dims[c.Dim].Label, x.brief(c.From), c.Factor, opText(c.Op), at(c.Op.Pos))
}

// brief is a value's name or type.
func (x *explainer) brief(v *ir.Value) string {
	if name := x.names[v]; name != "" {
		return name
	}
	return v.Type.Sharded(nil).String()
}

// lineText is a line of a plan as it is written.
func lineText(l ir.ShardLine) string {
	axis := l.Axis
	if l.Path != "" {
		axis = l.Path + "." + axis
	}
	if l.Params {
		axis = ir.Params + "." + axis
	}
	if l.Path != "" {
		axis = strconv.Quote(axis)
	}
	return axis + ": " + axesText(l.Over)
}

func axesText(over []string) string {
	if len(over) == 1 {
		return over[0]
	}
	return "(" + strings.Join(over, ", ") + ")"
}

// whole says why a dim is not cut.
func (x *explainer) whole(v *ir.Value, dim int) string {
	label := v.Type.Dims[dim].Label
	for _, l := range x.plan.Shard {
		if l.Axis == label && (!l.Params || !x.d.Activation(v)) {
			return fmt.Sprintf("whole, although `%s` speaks of it: its axes are taken, or do not fit", lineText(l))
		}
	}
	return fmt.Sprintf("whole: no line of the plan speaks of %s here, and nothing beside it is cut along it", label)
}

// dtype says why a value has its dtype.
func (x *explainer) dtype(v *ir.Value) string {
	d := v.Type.DType
	real := x.program.Train.Precision
	switch {
	case x.names[v] != "" && !x.d.Activation(v):
		return d.String() + ": state is kept as the program declares it"
	case d.Float() && d.String() == real:
		return fmt.Sprintf("%s: reals are %s by `precision: %s` of train %s", d, real, real, x.program.Name)
	}
	return d.String() + ": as the program says"
}

// rematted says what the backward pass does for an activation inside a differentiated loop.
func (x *explainer) rematted(v *ir.Value) string {
	if v.Pos == nil || !x.d.Activation(v) {
		return ""
	}
	for _, r := range x.remat {
		for _, k := range r.Kept {
			if k.Value.Pos == v.Pos && k.Value.Type.SameShape(v.Type) {
				return fmt.Sprintf("kept for the backward pass by %s: %s a device over %d turns", x.policy(v), gib(k.Bytes), r.Turns)
			}
		}
	}
	if slices.ContainsFunc(x.remat, func(r passes.Remat) bool { return v.Pos.Path != "" && ir.Under(r.Path, v.Pos.Path) }) {
		return fmt.Sprintf("not kept, by %s: the backward pass computes it again if it reads it", x.policy(v))
	}
	return ""
}

// policy is the line of the plan that remat goes by.
func (x *explainer) policy(v *ir.Value) string {
	for _, l := range x.plan.Remat {
		if ir.Under(l.Path, v.Pos.Path) {
			return fmt.Sprintf("`%q: %s` at %s", l.Path, l.Policy, l.Pos)
		}
	}
	return "the policy none, which holds where no line of the plan speaks"
}

// moved tells of the collectives of a move.
func (x *explainer) moved(m passes.Moved) []WhyMove {
	to := "a result of the step or of a loop, to lie as the next one wants it"
	pos := m.Value.Pos
	if m.For != nil {
		to, pos = opText(m.For), m.For.Pos
	}
	var list []WhyMove
	for _, s := range m.Steps {
		if s.Row == "block" {
			continue
		}
		w := WhyMove{Collective: s.Row, Over: s.Over, From: shardText(m.Value.Type, m.From), To: shardText(m.Value.Type, m.To), For: to,
			Times: m.Times, Bytes: s.Bytes, Seconds: s.Seconds}
		x.waited(&w, m.Pos, s.Operand)
		if s.Row != "all_reduce" {
			w.Dim = m.Value.Type.Dims[s.Dim].Label
		}
		if pos != nil {
			w.Pos = strings.TrimPrefix(at(pos), " at ")
		}
		list = append(list, w)
	}
	return list
}

// shardText is a sharding as types print it, {} for what is whole.
func shardText(t ir.Type, s *ir.Sharding) string {
	text := t.Sharded(s).String()
	if i := strings.IndexByte(text, '{'); i >= 0 {
		return text[i:]
	}
	return "{}"
}
