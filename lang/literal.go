package lang

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// suffixes of numbers: decimal ones shift the point, binary ones scale exactly.
var suffixes = []struct {
	name  string
	exp10 string
	exp2  int
}{
	{"Ki", "", 10}, {"Mi", "", 20}, {"Gi", "", 30}, {"k", "e3", 0}, {"M", "e6", 0}, {"G", "e9", 0}, {"", "", 0},
}

// maxInt bounds whole numbers: below it, all of them are exact.
const maxInt = 1 << 53

// digits returns how many bytes of s are digits with single underscores between them.
func digits(s string) int {
	n := 0
	for n < len(s) && (isDigit(s[n]) || s[n] == '_' && n > 0 && s[n-1] != '_' && n+1 < len(s) && isDigit(s[n+1])) {
		n++
	}
	return n
}

// number reads a number: digits, fraction, exponent and whatever letters follow.
func (s *scanner) number() {
	rest := s.rest()
	n := digits(rest)
	if n+1 < len(rest) && rest[n] == '.' && isDigit(rest[n+1]) {
		n += 1 + digits(rest[n+1:])
	}
	n += exponent(rest[n:])
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	t := s.take(tokNumber, n)
	if _, d := number(t); d != nil {
		s.report.lexical(d, t.Pos.Offset)
	}
	s.emit(t)
	s.ender = true
}

// exponent returns the length of an exponent at the beginning of s, 0 for none.
func exponent(s string) int {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0
	}
	n := 1
	if n < len(s) && (s[n] == '+' || s[n] == '-') {
		n++
	}
	d := digits(s[n:])
	if d == 0 {
		return 0
	}
	return n + d
}

// number converts a number token.
func number(t lexer.Token) (*Number, *diag.Diagnostic) {
	bad := func(msg, label, fix string) (*Number, *diag.Diagnostic) {
		return nil, &diag.Diagnostic{Code: codeNumber, Msg: msg, Pos: at(t), Label: label, Fix: fix}
	}
	text := t.Value
	n := digits(text)
	whole := true
	if n < len(text) && text[n] == '.' {
		n += 1 + digits(text[n+1:])
		whole = false
	}
	if e := exponent(text[n:]); e > 0 {
		n += e
		whole = false
	}
	plain, suffix := strings.ReplaceAll(text[:n], "_", ""), text[n:]
	for _, x := range suffixes {
		if x.name != suffix {
			continue
		}
		if suffix != "" && strings.ContainsAny(plain, "eE") {
			return bad("`"+clipText(text)+"` has an exponent and a suffix", "only one of them", "")
		}
		v, err := strconv.ParseFloat(plain+x.exp10, 64)
		v = math.Ldexp(v, x.exp2)
		if err != nil || math.IsInf(v, 0) {
			return bad("a number is too large", "more than a 64-bit float holds", "")
		}
		isInt := whole || suffix != "" && v == math.Trunc(v)
		if isInt && v >= maxInt {
			return bad("a whole number is too large", "from 2 ** 53 on they are not exact", "a number with a point, if it need not be whole")
		}
		return &Number{Span: Span{at(t)}, Value: v, IsInt: isInt, Text: text}, nil
	}
	return bad("`"+clipText(suffix)+"` is not a suffix of numbers",
		"expected k, M, G, Ki, Mi, Gi or nothing", suffixFix(text[:n], suffix))
}

// suffixFix proposes a number for a suffix of another case.
func suffixFix(digits, suffix string) string {
	for _, x := range suffixes {
		if x.name != "" && strings.EqualFold(x.name, suffix) {
			return digits + x.name
		}
	}
	return ""
}

// string reads a string to its closing quote on the same line.
func (s *scanner) string() {
	rest := s.rest()
	n := 1
	for n < len(rest) && rest[n] != '"' && rest[n] != '\n' {
		if rest[n] == '\\' && n+1 < len(rest) && rest[n+1] != '\n' {
			n++
		}
		n++
	}
	if n >= len(rest) || rest[n] == '\n' {
		t := s.take(tokString, len(strings.TrimRight(rest[:n], " \t\r")))
		s.report.lexical(&diag.Diagnostic{Code: codeString, Msg: "a string is not closed on its line", Pos: at(t),
			Label: "begins here", Fix: "end it with `\"`; a line break inside is written `\\n`"}, t.Pos.Offset)
		t.Value = unclosed
		s.emit(t)
		s.ender = true
		return
	}
	t := s.take(tokString, n+1)
	if _, d := stringPieces(t); d != nil {
		s.report.lexical(d, t.Pos.Offset)
	}
	s.emit(t)
	s.ender = true
}

// unclosed is the value of a string token without closing quote.
const unclosed = `"`

var escapes = map[byte]string{'n': "\n", 't': "\t", '"': `"`, '\\': `\`, '{': "{", '}': "}"}

// stringPieces converts a string token. In text, `\{` and `\}` are braces and `{name}`
// stands for a value; a lone `}` is itself.
func stringPieces(t lexer.Token) (*String, *diag.Diagnostic) {
	r := &stringReader{tok: t, out: &String{Span: Span{at(t)}}}
	if t.Value == unclosed {
		return r.out, nil // which has been reported
	}
	r.text = t.Value[1 : len(t.Value)-1]
	for r.i < len(r.text) {
		var d *diag.Diagnostic
		switch c := r.text[r.i]; c {
		case '\\':
			d = r.escape()
		case '{':
			d = r.interpolation()
		default:
			r.run.WriteByte(c)
			r.i++
		}
		if d != nil {
			return nil, d
		}
	}
	r.flush()
	return r.out, nil
}

// stringReader reads the text between a string's quotes from byte i on.
type stringReader struct {
	tok  lexer.Token
	text string
	i    int
	run  strings.Builder // text since the last name
	out  *String
}

func (r *stringReader) flush() {
	if r.run.Len() > 0 {
		r.out.Pieces = append(r.out.Pieces, Piece{Text: r.run.String()})
		r.run.Reset()
	}
}

// slice returns n bytes of the text from byte i on as a token, for its place.
func (r *stringReader) slice(i, n int) lexer.Token {
	pos := r.tok.Pos
	pos.Column += 1 + i
	return lexer.Token{Value: r.text[i : i+n], Pos: pos}
}

func (r *stringReader) escape() *diag.Diagnostic {
	e, ok := escapes[r.text[r.i+1]]
	if !ok {
		_, n := utf8.DecodeRuneInString(r.text[r.i+1:])
		t := r.slice(r.i, 1+n)
		return &diag.Diagnostic{Code: codeString, Pos: at(t), Msg: "`" + t.Value + "` is not an escape",
			Fix: "one of \\n \\t \\\" \\\\ \\{ \\}"}
	}
	r.run.WriteString(e)
	r.i += 2
	return nil
}

func (r *stringReader) interpolation() *diag.Diagnostic {
	start := r.i + 1
	n := nameLength(r.text[start:])
	if n == 0 || !strings.HasPrefix(r.text[start+n:], "}") || reserved[r.text[start:start+n]] {
		return &diag.Diagnostic{Code: codeString, Pos: at(r.slice(r.i, 1)),
			Msg: "`{` in a string begins a name, as in \"{width}\"", Fix: "`\\{` for the brace itself"}
	}
	r.flush()
	name := ident(r.slice(start, n))
	r.out.Pieces = append(r.out.Pieces, Piece{Name: &name})
	r.i = start + n + 1
	return nil
}

func nameLength(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) && (n > 0 || isLetter(s[n])) {
		n++
	}
	return n
}

// foreignFix says what to write for what other languages have.
var foreignFix = map[string]string{
	";":  "end the line: a statement ends with it",
	"'":  "strings stand in double quotes",
	"`":  "strings stand in double quotes",
	"“":  "plain double quotes",
	"”":  "plain double quotes",
	"#":  "`//` for a comment",
	"/*": "`//` on each line of the comment",
	"^":  "`**` for a power",
	"@":  "dot(a, b, over: axis)",
	"!":  "`not`",
	"&":  "`and`",
	"&&": "`and`",
	"|":  "`or`",
	"||": "`or`",
	"+=": "let x = x + ...",
	"-=": "let x = x - ...",
	"*=": "let x = x * ...",
	"/=": "let x = x / ...",
	"=>": "`->`",
	":=": "let x = ...",
	"?":  "a if condition else b",
	"×":  "`*`",
	"−":  "`-`",
	"–":  "`-`",
	"≤":  "`<=`",
	"≥":  "`>=`",
	"≠":  "`!=`",
}

// foreign returns the operator of other languages that s begins with, or "".
func foreign(s string) string {
	for _, op := range []string{"&&", "||", "/*", "+=", "-=", "*=", "/=", "=>", ":=", "++", "--"} {
		if !strings.HasPrefix(s, op) {
			continue
		}
		if (op == "++" || op == "--") && !endsOperation(s[2:]) || strings.HasPrefix(s[1:], "==") {
			return ""
		}
		return op
	}
	return ""
}

// endsOperation tells x++ from a + +b and a - -b.
func endsOperation(s string) bool {
	s = strings.TrimLeft(s, " \t\r")
	return s == "" || s[0] == '\n' || s[0] == ')' || s[0] == '}'
}
