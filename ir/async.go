package ir

import "fmt"

// A collective that moves data between devices is one op, or two: its start gives a value that is
// under way, and what follows runs beside the transfer until its done, which waits for it. The
// operand must stay as it is until then, and nobody reads the result. Both are derived here from
// the row in one; what they mean, and how their results lie, is the row's to say.

// Ends are the rows of a collective that moves data: in one, and its two ends.
type Ends struct{ Whole, Start, Done *Row }

// Starts reports whether a row begins a transfer that a later op waits for.
func (r *Row) Starts() bool { return r.Ends != nil && r == r.Ends.Start }

// Awaits reports whether a row waits for a transfer that was started.
func (r *Row) Awaits() bool { return r.Ends != nil && r == r.Ends.Done }

// Whole is the row of the collective of which this one is an end; of other rows it is the row.
func (r *Row) Whole() *Row {
	if r.Ends == nil {
		return r
	}
	return r.Ends.Whole
}

// Landed is the type of a value under way once it is there.
func (t Type) Landed() Type {
	t.Flight = false
	return t
}

// UnderWay is the type of what is started until it is there.
func (t Type) UnderWay() Type {
	t.Flight = true
	return t
}

// inTwo gives a collective's row, and those of its ends.
func inTwo(whole *Row) []*Row {
	start, done := *whole, *whole
	start.Name, start.Types = whole.Name+"_start", startTypes
	done.Name, done.Types, done.Attrs = whole.Name+"_done", doneTypes, nil
	done.Lies = func(_ *Op, t Type, _ []string) (Type, error) { return t, nil }
	ends := &Ends{whole, &start, &done}
	whole.Ends, start.Ends, done.Ends = ends, ends, ends
	return []*Row{whole, &start, &done}
}

// startTypes: the type that the collective in one gives, under way.
func startTypes(op *Op, want []Type) ([]Type, error) {
	if len(want) != 1 || !want[0].Flight {
		return nil, fmt.Errorf("%s needs the type of its result, which is under way: ~f32[...]", op.Row.Name)
	}
	_, err := op.Row.Ends.Whole.Types(op, []Type{want[0].Landed()})
	return want, err
}

// doneTypes: what was under way is there.
func doneTypes(op *Op, _ []Type) ([]Type, error) {
	of := op.In[0]
	if of.Def == nil || of.Def.Row != op.Row.Ends.Start {
		return nil, fmt.Errorf("%s waits for %%%s %s, which no %s of its region gives", op.Row.Name, of.Name, of.Type, op.Row.Ends.Start.Name)
	}
	return []Type{of.Type.Landed()}, nil
}

// checkFlights: what is under way is given by starts and read by dones alone.
func checkFlights(op *Op, out []Type) error {
	for _, v := range op.In {
		if v.Type.Flight && !op.Row.Awaits() {
			return fmt.Errorf("%s reads %%%s %s, which is under way: only its done may, in the region of its start", op.Row.Name, v.Name, v.Type)
		}
	}
	for _, t := range out {
		if t.Flight && !op.Row.Starts() {
			return fmt.Errorf("%s gives %s: only the start of a collective gives what is under way", op.Row.Name, t)
		}
	}
	return nil
}
