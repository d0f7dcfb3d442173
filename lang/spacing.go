package lang

import (
	"github.com/alecthomas/participle/v2/lexer"
)

// spaced reports whether a blank stands between token i and the one before it, on one
// line.
func spaced(toks []placed, i int) bool {
	a, b := toks[i-1], toks[i]
	if a.Type == tokPunct {
		switch a.Value {
		case "(", "[", ".", "..", "...":
			return false
		case "{":
			return !is(b.Token, "}")
		case "-":
			// Two signs are kept apart, lest they look like one operator.
			return !unary(toks, i-1) || is(b.Token, "-")
		}
	}
	if b.Type != tokPunct {
		return true
	}
	switch b.Value {
	case ")", "]", ",", ":", ".", "..":
		return false
	case "(":
		return !endsOperand(a.Token)
	case "[":
		return !endsOperand(a.Token) && !is(a.Token, "axis") && !is(a.Token, "module") && !is(a.Token, "fn")
	}
	return true
}

// unary reports whether the minus at index i is a sign.
func unary(toks []placed, i int) bool {
	for j := i - 1; j >= 0; j-- {
		if !toks[j].comment() {
			return toks[i].begins || !endsOperand(toks[j].Token)
		}
	}
	return true
}

// endsOperand reports whether an operand can end with t.
func endsOperand(t lexer.Token) bool {
	switch t.Type {
	case tokIdent, tokNumber, tokString:
		return true
	case tokKeyword:
		return enders[t.Value]
	case tokPunct:
		return t.Value == ")" || t.Value == "]" || t.Value == "}"
	}
	return false
}
