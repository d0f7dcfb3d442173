package lang

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// The messages of the syntax. What participle says of a failed production is turned into
// the same words here.

// unexpected says that something else was expected at t.
func unexpected(t lexer.Token, expected string) *diag.Diagnostic {
	found := strings.TrimPrefix(strings.TrimPrefix(describe(t), "a "), "the ")
	return &diag.Diagnostic{Code: codeExpected, Msg: "unexpected " + found, Pos: at(t), Label: "expected " + expected}
}

// goesOn notes that t stands on a new line although the one before is not complete. It
// reports whether that is so.
func goesOn(d *diag.Diagnostic, before, t lexer.Token) bool {
	if before.Pos.Line == 0 || before.Pos.Line == t.Pos.Line || t.Type == tokEOF {
		return false
	}
	d.Notes = append(d.Notes, diag.Note{Pos: at(before), Text: "the line above goes on behind `" + clipText(before.Value) + "`"})
	return true
}

// notName says that t stands where a name, or an expression, is wanted.
func notName(t lexer.Token, what string) *diag.Diagnostic {
	if t.Type != tokKeyword {
		return unexpected(t, what)
	}
	return &diag.Diagnostic{Code: codeReserved, Msg: "`" + t.Value + "` is a reserved word", Pos: at(t),
		Label: "expected " + what, Fix: "another name, such as `" + t.Value + "_`"}
}

// translate turns the error of a production into a diagnostic. item holds the
// production's tokens.
func translate(err error, item []lexer.Token) *diag.Diagnostic {
	var own *syntaxError
	if errors.As(err, &own) {
		return own.d
	}
	var u *participle.UnexpectedTokenError
	if !errors.As(err, &u) {
		return &diag.Diagnostic{Code: codeExpected, Msg: err.Error(), Pos: at(item[0])}
	}
	expected := wanted(u.Message())
	t := u.Unexpected
	d := unexpected(t, expected)
	switch {
	case goesOn(d, before(item, t), t):
		return d
	case t.Type == tokKeyword && strings.HasPrefix(expected, "a name"):
		return notName(t, "a name")
	case is(t, "=") && expected == "`:`":
		return &diag.Diagnostic{Code: codeColon, Msg: "`=` where `:` is wanted", Pos: at(t), Label: "expected `:`"}
	case is(item[0], "let") && expected == "a type" && (t.Type == tokNumber || t.Type == tokString):
		colon := before(item, t)
		return &diag.Diagnostic{Code: codeColon, Msg: "`:` where `=` is wanted", Pos: at(colon),
			Label: "a type stands behind `:`, the value behind `=`", Fix: "="}
	case is(t, ":") && expected == "`=`":
		return &diag.Diagnostic{Code: codeColon, Msg: "`:` where `=` is wanted", Pos: at(t), Label: "expected `=`"}
	}
	if strings.HasPrefix(expected, "`,` or ") && beginsOperand(t) {
		d.Code, d.Msg, d.Fix = codeComma, "a comma is missing", "`,` before "+describe(t)
		if expected == "`,` or `)`" {
			d.Fix += "; a parameter's type stands behind `:`"
		}
	}
	return d
}

// before returns the token of item in front of t.
func before(item []lexer.Token, t lexer.Token) lexer.Token {
	i := slices.IndexFunc(item, func(x lexer.Token) bool { return x.Pos.Offset >= t.Pos.Offset })
	if i <= 0 {
		return lexer.Token{}
	}
	return item[i-1]
}

// phrases names the productions that participle may expect.
var phrases = map[string]string{
	"Expr": "an expression", "<ident>": "a name", "<string>": "a string", "ParamList": "`(`", "Param": "a name or `)`",
	"TypeName": "a type", "DottedName": "a name", "NamePart": "a name", "AxisList": "`[`", "TypeAxis": "an axis or `]`", "UseItem": "the name of a file",
	"<number>": "a number",
}

// wanted extracts from participle's message, (expected EBNF), what may come first: the
// first term, and those that begin its alternatives.
func wanted(message string) string {
	_, rest, ok := strings.Cut(message, "(expected ")
	if !ok {
		return "something else"
	}
	var alternatives []string
	for ok {
		var word string
		word, rest = firstTerm(strings.TrimLeft(rest, "( "))
		rest, ok = strings.CutPrefix(rest, " |")
		if len(alternatives) > 0 || !ok || !strings.HasPrefix(word, "`,`") { // no comma where a list begins
			alternatives = append(alternatives, word)
		}
	}
	return strings.Join(alternatives, " or ")
}

// firstTerm cuts a term off EBNF text and returns what it is called.
func firstTerm(text string) (phrase, rest string) {
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		word, rest, _ := strings.Cut(quoted, `"`)
		if word == ")" || word == "]" {
			return "`,` or `" + word + "`", rest
		}
		return "`" + word + "`", rest
	}
	n := strings.IndexAny(text, " ?*+)")
	if n < 0 {
		n = len(text)
	}
	word, rest := text[:n], strings.TrimLeft(text[n:], "?*+)")
	if phrase, ok := phrases[word]; ok {
		return phrase, rest
	}
	return word, rest
}

// operator says what a token is called that begins a line although it should end the one
// above, or "".
func operator(t lexer.Token) string {
	if precedence[t.Value] > 0 {
		return "an operator"
	}
	switch t.Value {
	case "with", "as", "in", "if", "else", "=", ":", "->", "<-", ".", "..", ",":
		return "`" + t.Value + "`"
	}
	return ""
}

// lineBegins says that a line begins with t, which belongs at the end of the one above.
func lineBegins(t lexer.Token, expected string) *diag.Diagnostic {
	return &diag.Diagnostic{Code: codeLine, Msg: "a line cannot begin with `" + t.Value + "`", Pos: at(t),
		Label: "expected " + expected + ", found " + operator(t),
		Notes: []diag.Note{{Text: "the line above is already complete"}},
		Fix:   "end the line above with `" + t.Value + "`"}
}

// bracketBegins says that a line begins with a bracket or minus although it is indented
// as if it continued the line above.
func bracketBegins(t lexer.Token) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: codeLine, Msg: "a line that begins with `" + t.Value + "` does not continue the one above",
		Pos: at(t), Label: "a statement of its own, but indented like a part of the one above",
		Fix: "end the line above with `" + t.Value + "`"}
	if t.Value != "-" {
		d.Fix = "the bracket at the end of the line above"
	}
	return d
}
