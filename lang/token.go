package lang

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// The kinds of token. Their values are participle's business; only their names appear,
// in the grammar.
const (
	tokEOF     = lexer.EOF
	tokIdent   = lexer.TokenType(-2)
	tokKeyword = lexer.TokenType(-3)
	tokNumber  = lexer.TokenType(-4)
	tokString  = lexer.TokenType(-5)
	tokPunct   = lexer.TokenType(-6)
	tokEnd     = lexer.TokenType(-7) // the end of a line that ends an item
	tokDoc     = lexer.TokenType(-8) // `/// ...` on a line of its own
	tokComment = lexer.TokenType(-9) // any other comment; only the formatter sees it
)

var symbols = map[string]lexer.TokenType{"EOF": tokEOF, "Ident": tokIdent, "Keyword": tokKeyword,
	"Number": tokNumber, "String": tokString, "Punct": tokPunct, "End": tokEnd, "Doc": tokDoc}

// reserved words are never names.
var reserved = set("use module fn let axis param state require if else for in repeat as with and or not true false")

// enders are the reserved words that can end an item: a newline behind any other
// reserved word does not.
var enders = set("true false")

// puncts holds the operators and brackets, longer ones before their prefixes.
var puncts = []string{"...", "..", "->", "<-", "**", "==", "!=", "<=", ">=",
	"-", "+", "*", "/", "%", "<", ">", "=", "(", ")", "{", "}", "[", "]", ",", ".", ":"}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// names returns a set's words in alphabetical order.
func names(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for w := range set {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

// at returns the place of one token.
func at(t lexer.Token) diag.Pos {
	p := diag.Pos{File: t.Pos.Filename, Line: t.Pos.Line, Col: t.Pos.Column}
	if t.Type != tokEOF && t.Type != tokEnd {
		p.End = endColumn(t)
	}
	return p
}

func endColumn(t lexer.Token) int { return t.Pos.Column + len(t.Value) }

// span returns the place of a run of tokens, as far as it lies on the first one's line.
func span(toks []lexer.Token) diag.Pos {
	if len(toks) == 0 {
		return diag.Pos{}
	}
	p := at(toks[0])
	for _, t := range toks[1:] {
		if t.Pos.Line != p.Line || t.Type == tokEnd || t.Type == tokEOF {
			break
		}
		p.End = endColumn(t)
	}
	return p
}

// describe says in a message what a token is.
func describe(t lexer.Token) string {
	switch t.Type {
	case tokEOF:
		if t.Value != "" {
			return t.Value // what stands behind an item, see parser.item
		}
		return "the end of the file"
	case tokEnd:
		if t.Value != "" {
			return "`" + t.Value + "`"
		}
		return "the end of the line"
	case tokNumber:
		return "the number `" + clipText(t.Value) + "`"
	case tokString:
		return "a string"
	case tokDoc:
		return "a documentation comment"
	case tokKeyword:
		return "the reserved word `" + t.Value + "`"
	}
	return "`" + clipText(t.Value) + "`"
}

// clipText keeps what is quoted in a message short.
func clipText(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// is reports whether t is the word or operator value.
func is(t lexer.Token, value string) bool {
	return t.Value == value && t.Type != tokEOF && t.Type != tokEnd
}

// beginsOperand reports whether an expression can begin with t.
func beginsOperand(t lexer.Token) bool {
	switch t.Type {
	case tokIdent, tokNumber, tokString:
		return true
	case tokKeyword:
		return slices.Contains([]string{"true", "false", "repeat", "for", "not"}, t.Value)
	case tokPunct:
		return t.Value == "(" || t.Value == "["
	}
	return false
}
