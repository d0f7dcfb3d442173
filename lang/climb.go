package lang

import (
	"vitc/ir/diag"
)

// precedence of the operators, loosest first.
var precedence = map[string]int{
	"or": 1, "and": 2,
	"==": 4, "!=": 4, "<": 4, ">": 4, "<=": 4, ">=": 4,
	"+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "**": 8,
}

// Precedence of the prefix operators: not is looser than comparisons, so that not a == b
// is not (a == b); minus is looser than **, so that -x ** 2 is -(x ** 2).
const (
	precNot     = 3
	precCompare = 4
	precNegate  = 7
)

// binary parses operators that bind at least as tightly as least. Operators of one level
// group to the left, ** to the right.
func (p *exprParser) binary(least int) Expr {
	x := p.unary(least)
	for n := 0; p.err == nil; n++ {
		op := p.peek()
		level := precedence[op.Value]
		if level == 0 || level < least {
			return x
		}
		p.linked(n)
		p.next()
		var y Expr
		if op.Value == "**" {
			y = p.operand(precNegate) // the exponent may be negative, and may be a power
		} else {
			y = p.binary(level + 1)
		}
		x = &Binary{p.from(x.Pos()), op.Value, at(op), x, y}
		if level == precCompare {
			p.refuseChain(op.Value, x)
		}
	}
	return x
}

// refuseChain reports a comparison of a comparison's result without parentheses.
func (p *exprParser) refuseChain(first string, x Expr) {
	t := p.peek()
	if precedence[t.Value] != precCompare {
		return
	}
	fix := "a " + first + " b and b " + t.Value + " c"
	p.fail(&diag.Diagnostic{Code: codeChain, Msg: "comparisons cannot be chained", Pos: at(t),
		Label: "behind another comparison", Fix: fix, Notes: []diag.Note{{Pos: x.Pos(), Text: "the first one"}}})
}

// operand parses what stands behind a sign, not or **: these can follow one another
// without end.
func (p *exprParser) operand(least int) Expr {
	defer p.leave()
	if !p.enter() {
		return &Bad{}
	}
	return p.binary(least)
}

func (p *exprParser) unary(least int) Expr {
	op := p.peek()
	switch {
	case is(op, "-"):
		p.next()
		x := p.operand(precNegate)
		return &Unary{p.from(at(op)), "-", x}
	case is(op, "not"):
		if least > precNot {
			return p.fail(&diag.Diagnostic{Code: codeNot, Msg: "`not` binds more loosely than the operator before it",
				Pos: at(op), Fix: "parentheses: (not ...)"})
		}
		p.next()
		x := p.operand(precNot)
		return &Unary{p.from(at(op)), "not", x}
	}
	return p.postfix()
}
