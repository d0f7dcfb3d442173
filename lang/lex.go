package lang

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// Limits on a source file, against input that means harm: what is parsed recursively
// stays far from the end of the stack.
const (
	maxSource = 1 << 20 // bytes
	maxDepth  = 200     // open brackets, and recursion within an expression
	maxChain  = 500     // operands of one flat chain, such as a + b + c
	maxErrors = 1000    // diagnostics of one file; the rest say nothing new
)

// bracket is an open bracket.
type bracket struct {
	tok    lexer.Token
	indent int // columns of blanks before its line
}

// scanner turns source text into tokens with balanced brackets.
type scanner struct {
	text   string
	pos    lexer.Position // of the next character; columns count bytes
	toks   []lexer.Token  // without comments
	all    []lexer.Token  // what is written: with comments, without END and repairs
	open   []bracket
	ender  bool // the last token can end an item
	fresh  bool // no token on this line yet
	indent int  // of this line
	// suspect is a brace whose closing brace stands further left than its line: where a
	// file ends too early, that is the likely place of the missing brace.
	suspect *suspicion
	badLine int // the last line on which a bad character was reported
	report  *reporter
	fatal   bool
}

type suspicion struct{ open, close lexer.Token }

// scan returns the tokens of text. After a fatal error they are useless.
func scan(file, text string, report *reporter) *scanner {
	s := &scanner{text: text, pos: lexer.Position{Filename: file, Line: 1, Column: 1}, fresh: true, report: report}
	for s.pos.Offset < len(s.text) && !s.fatal {
		s.next()
	}
	if !s.fatal {
		s.finish()
	}
	return s
}

func (s *scanner) rest() string { return s.text[s.pos.Offset:] }

// take consumes n bytes, none of them a newline, and returns them as a token.
func (s *scanner) take(kind lexer.TokenType, n int) lexer.Token {
	t := lexer.Token{Type: kind, Value: s.rest()[:n], Pos: s.pos}
	s.pos.Offset += n
	s.pos.Column += n
	return t
}

func (s *scanner) emit(t lexer.Token) {
	s.toks = append(s.toks, t)
	s.all = append(s.all, t)
	s.fresh = false
}

// end writes an END token if the last token can end an item.
func (s *scanner) end(pos lexer.Position) {
	if s.ender {
		end := lexer.Token{Type: tokEnd, Pos: pos}
		if pos.Offset < len(s.text) && s.text[pos.Offset] == '}' {
			end.Value = "}" // for messages: no line ends here
		}
		s.toks = append(s.toks, end)
	}
	s.ender = false
}

func (s *scanner) next() {
	c := s.rest()[0]
	switch {
	case c == '\n':
		s.newline()
	case c == ' ' || c == '\t' || c == '\r':
		s.take(0, 1)
		if s.fresh {
			s.indent = s.pos.Column - 1
		}
	case strings.HasPrefix(s.rest(), "//"):
		s.comment()
	case isDigit(c):
		s.number()
	case c == '"':
		s.string()
	case isLetter(c):
		s.word()
	default:
		s.punct()
	}
}

func (s *scanner) newline() {
	if len(s.open) == 0 || s.top() == "{" {
		s.end(s.pos)
	}
	s.pos.Offset++
	s.pos.Line++
	s.pos.Column = 1
	s.fresh, s.indent = true, 0
}

// top returns the innermost open bracket, or the empty string.
func (s *scanner) top() string {
	if len(s.open) == 0 {
		return ""
	}
	return s.open[len(s.open)-1].tok.Value
}

// comment reads to the end of the line. Three slashes alone on a line, where an item can
// begin, document what follows; four are a rule drawn in the text.
func (s *scanner) comment() {
	line, _, _ := strings.Cut(s.rest(), "\n")
	line = strings.TrimRight(line, " \t\r")
	isDoc := strings.HasPrefix(line, "///") && !strings.HasPrefix(line, "////")
	if isDoc && s.fresh && !s.ender && (len(s.open) == 0 || s.top() == "{") {
		s.emit(s.take(tokDoc, len(line)))
		return
	}
	s.all = append(s.all, s.take(tokComment, len(line)))
	s.fresh = false
}

func (s *scanner) word() {
	n := 1
	for n < len(s.rest()) && isWord(s.rest()[n]) {
		n++
	}
	first := s.fresh
	t := s.take(tokIdent, n)
	if reserved[t.Value] {
		t.Type = tokKeyword
	}
	if first && len(s.open) > 0 {
		s.checkAbandoned(t)
	}
	s.emit(t)
	s.ender = t.Type == tokIdent || enders[t.Value]
}

func (s *scanner) punct() {
	for _, p := range puncts {
		if !strings.HasPrefix(s.rest(), p) {
			continue
		}
		if foreign(s.rest()) != "" {
			break
		}
		t := s.take(tokPunct, len(p))
		switch p {
		case "(", "[", "{":
			s.opening(t)
		case ")", "]", "}":
			s.closing(t)
		default:
			s.emit(t)
			s.ender = false
		}
		return
	}
	s.badCharacter()
}

// badCharacter reports what begins no token, once a line, and passes over it.
func (s *scanner) badCharacter() {
	r, n := utf8.DecodeRuneInString(s.rest())
	shown := string(r)
	if f := foreign(s.rest()); f != "" {
		shown, n = f, len(f)
	}
	t := s.take(0, n)
	if s.badLine != t.Pos.Line {
		s.report.lexical(&diag.Diagnostic{Code: codeChar, Msg: badMessage(shown, r), Pos: at(t), Fix: badFix(shown, r)}, t.Pos.Offset)
	}
	s.badLine = t.Pos.Line
	s.ender, s.fresh = true, false
	switch shown {
	case "/*":
		s.skipForeignComment()
	case "#":
		line, _, _ := strings.Cut(s.rest(), "\n")
		s.take(0, len(line))
	}
}

func badMessage(shown string, r rune) string {
	switch {
	case invisible(r):
		return fmt.Sprintf("invisible character U+%04X", r)
	case shown == "`":
		return "a backquote is not a character of the language"
	case len(shown) > 1 && r < utf8.RuneSelf:
		return "`" + shown + "` is not an operator of the language"
	}
	return "`" + shown + "` is not a character of the language"
}

func badFix(shown string, r rune) string {
	switch {
	case invisible(r):
		return "delete it"
	case r >= utf8.RuneSelf && unicode.IsLetter(r):
		return "names are made of ASCII letters, digits and `_`"
	}
	return foreignFix[shown]
}

// invisible reports whether r cannot be seen: blanks of other kinds, the byte order mark,
// control characters.
func invisible(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// skipForeignComment passes over the rest of /* ... */, so that its text is not read as
// program.
func (s *scanner) skipForeignComment() {
	n := strings.Index(s.rest(), "*/") + 2
	if n < 2 {
		n = len(s.rest())
	}
	for stop := s.pos.Offset + n; s.pos.Offset < stop; {
		if s.rest()[0] == '\n' {
			s.newline()
			continue
		}
		s.take(0, 1)
	}
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }
