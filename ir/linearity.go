package ir

// Linearity says what a row makes of operands that devices hold in parts, as summands.
type Linearity uint8

// The kinds of rows.
const (
	Opaque  Linearity = iota // it reads values: a sum of what it makes of parts is nothing
	Jointly                  // linear in its operands taken together: all are in parts, or none
	Singly                   // linear in each operand while the others are whole
	Apart                    // each result is one of the operands
)

// jointly and singly are the Linear of rows that are so whatever their attributes are.
func jointly(*Op) Linearity { return Jointly }
func singly(*Op) Linearity  { return Singly }

// linearity is what an op makes of parts.
func linearity(op *Op) Linearity {
	if op.Row.Linear == nil {
		return Opaque
	}
	return op.Row.Linear(op)
}

// Join is how the values of several devices become one: sum, max or min.
func (a *ReduceAttrs) Join() string {
	if a.Kind == "tree" {
		return "sum"
	}
	return a.Kind
}

// joins is how devices join what they have along contracted factors.
func joins(op *Op) string {
	if a, ok := op.Attrs.(*ReduceAttrs); ok {
		return a.Join()
	}
	return "sum"
}
