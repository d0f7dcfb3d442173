package ir

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one piece of the text form: a word or number, a string (kind '"'), a name with its
// sigil (%x, @f), or one punctuation character.
type token struct {
	kind byte // 'w' word or number, '"' string, '%', '@', or the punctuation itself; 0 at the end
	text string
	line int
}

func (t token) String() string {
	if t.kind == 0 {
		return "the end of the text"
	}
	return strconv.Quote(t.text)
}

const maxNesting = 64

type textReader struct {
	src  string
	pos  int
	line int
	tok  token
}

type textError struct {
	line int
	msg  string
}

func (e *textError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.msg) }

func (r *textReader) fail(format string, args ...any) {
	panic(&textError{r.tok.line, fmt.Sprintf(format, args...)})
}

func wordRune(c rune) bool {
	return c == '_' || c == '.' || unicode.IsLetter(c) || unicode.IsDigit(c)
}

// next reads the next token; comments run from // to the end of the line.
func (r *textReader) next() {
	r.space()
	r.tok = token{line: r.line}
	if r.pos >= len(r.src) {
		return
	}
	c, n := utf8.DecodeRuneInString(r.src[r.pos:])
	rest := r.src[r.pos:]
	switch {
	case c == '"':
		q, err := strconv.QuotedPrefix(rest)
		if err != nil {
			r.fail("a string that does not end")
		}
		s, err := strconv.Unquote(q)
		if err != nil {
			r.fail("a string that cannot be read: %s", q)
		}
		r.tok.kind, r.tok.text, n = '"', s, len(q)
	case c == '%' || c == '@':
		n += wordLen(rest[1:])
		r.tok.kind, r.tok.text = byte(c), rest[1:n]
	case wordRune(c) || c == '-' && len(rest) > 1 && wordRune(rune(rest[1])):
		n = numberLen(rest)
		if n == 0 {
			n = wordLen(rest)
		}
		r.tok.kind, r.tok.text = 'w', rest[:n]
	case strings.HasPrefix(rest, "->"):
		r.tok.kind, r.tok.text, n = '>', "->", 2
	default:
		if c >= utf8.RuneSelf {
			r.fail("no token begins with %q", c)
		}
		r.tok.kind, r.tok.text = byte(c), rest[:n]
	}
	r.pos += n
}

func (r *textReader) space() {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; {
		case c == '\n':
			r.line++
			r.pos++
		case c == ' ' || c == '\t' || c == '\r':
			r.pos++
		case strings.HasPrefix(r.src[r.pos:], "//"):
			for r.pos < len(r.src) && r.src[r.pos] != '\n' {
				r.pos++
			}
		default:
			return
		}
	}
}

func wordLen(s string) int {
	for i, c := range s {
		if !wordRune(c) {
			return i
		}
	}
	return len(s)
}

// numberLen is the length of a number with sign and exponent, 0 where none begins.
func numberLen(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	if strings.HasPrefix(s[i:], "Inf") || strings.HasPrefix(s[i:], "NaN") {
		return i + 3
	}
	if i >= len(s) || s[i] < '0' || s[i] > '9' {
		return 0
	}
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	if i+1 < len(s) && s[i] == 'e' && (s[i+1] == '+' || s[i+1] == '-' || s[i+1] >= '0' && s[i+1] <= '9') {
		i += 2
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
	}
	return i
}

func (r *textReader) at(kind byte) bool { return r.tok.kind == kind }

func (r *textReader) word(w string) bool { return r.tok.kind == 'w' && r.tok.text == w }

func (r *textReader) expect(kind byte) string {
	if r.tok.kind != kind {
		what := map[byte]string{'w': "a word", '"': "a string", '%': "a value", '@': "a function's name", '>': "->"}[kind]
		if what == "" {
			what = strconv.Quote(string(kind))
		}
		r.fail("expected %s, found %s", what, r.tok)
	}
	t := r.tok.text
	r.next()
	return t
}

func (r *textReader) accept(kind byte) bool {
	if r.tok.kind != kind {
		return false
	}
	r.next()
	return true
}

func (r *textReader) integer() int {
	t := r.tok
	n, err := strconv.Atoi(r.expect('w'))
	if err != nil {
		r.tok = t
		r.fail("expected a whole number, found %s", t)
	}
	return n
}

// rawRule reads up to the closing bracket, which the token [ has opened.
func (r *textReader) rawRule() string {
	end := strings.IndexByte(r.src[r.pos:], ']')
	if end < 0 || strings.IndexByte(r.src[r.pos:r.pos+end], '\n') >= 0 {
		r.fail("a rule that does not end")
	}
	s := r.src[r.pos : r.pos+end]
	r.pos += end + 1
	r.next()
	return s
}
