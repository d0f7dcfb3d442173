package lang

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// The formatter works on tokens, not on the tree, so it can lose neither a comment nor a
// line break that the author made. It decides on blanks between tokens, on indentation,
// and on line breaks around braces.
//
// Lines are indented by what they stand in: a body by two blanks more than the item that
// its brace belongs to; a line inside parentheses is aligned behind the opening one or,
// where that one ends its line, indented by two; a line that continues another, by two.

const indentWidth = 2

// Format returns the source in its canonical form. A file with syntax errors is returned
// as it is, with its errors. Formatting changes neither the tree nor the comments, and
// formatting twice changes no more than once.
func Format(name string, src []byte) ([]byte, diag.List) {
	r := read(name, src)
	if r.list.Errors() > 0 {
		return src, r.list
	}
	f := &formatter{toks: layout(r)}
	for i := range f.toks {
		f.put(i)
	}
	return f.text(), r.list
}

// placed is a token and how it is placed.
type placed struct {
	lexer.Token
	begins bool // an item begins here
	breaks int  // line breaks before it: 0, 1, or 2 for a blank line
}

func (t placed) comment() bool { return t.Type == tokComment || t.Type == tokDoc }

// layout decides on the line breaks, and leaves out commas that end a line of a body.
func layout(r *reading) []placed {
	var out []placed
	line := 0
	for i, t := range r.all {
		if r.separators[t.Pos.Offset] && endsLine(r.all, i) {
			line = t.Pos.Line
			continue
		}
		breaks := min(t.Pos.Line-line, 2)
		if len(out) == 0 {
			breaks = 0
		}
		out = append(out, placed{t, r.begins[t.Pos.Offset], breaks})
		line = t.Pos.Line
	}
	openBraces(out)
	return out
}

// endsLine reports whether no code stands behind token i on its line, save a brace.
func endsLine(toks []lexer.Token, i int) bool {
	for _, t := range toks[i+1:] {
		if t.Type != tokComment {
			return t.Pos.Line > toks[i].Pos.Line || is(t, "}")
		}
	}
	return true
}

// openBraces breaks the lines behind and before the braces of a body that is longer than
// a line, joins the braces of an empty body, and removes blank lines along braces and
// inside parentheses.
func openBraces(toks []placed) {
	var open []int
	for i := range toks {
		t := &toks[i]
		if len(open) > 0 && !is(toks[open[len(open)-1]].Token, "{") {
			t.breaks = min(t.breaks, 1)
		}
		if afterBrace(toks, i) {
			t.breaks = min(t.breaks, 1)
		}
		if t.Type != tokPunct {
			continue
		}
		switch t.Value {
		case "(", "[", "{":
			open = append(open, i)
		case ")", "]", "}":
			start := open[len(open)-1]
			open = open[:len(open)-1]
			if t.Value == "}" {
				closeBrace(toks, start, i)
			}
		}
	}
}

// afterBrace reports whether token i is the first of a body, but for a comment on the
// brace's line.
func afterBrace(toks []placed, i int) bool {
	if i > 1 && toks[i-1].comment() && toks[i-1].breaks == 0 {
		i--
	}
	return i > 0 && is(toks[i-1].Token, "{")
}

// closeBrace settles the line breaks of the body between the braces at start and end.
func closeBrace(toks []placed, start, end int) {
	if end == start+1 {
		toks[end].breaks = 0
		return
	}
	toks[end].breaks = min(toks[end].breaks, 1)
	long := slices.ContainsFunc(toks[start+1:end+1], func(t placed) bool { return t.breaks > 0 })
	if !long {
		return
	}
	toks[end].breaks = 1
	if first := &toks[start+1]; !first.comment() {
		first.breaks = max(first.breaks, 1)
	}
}

// level is an open bracket.
type level struct {
	brace  bool
	indent int // of the lines inside
	close  int // of its closing bracket, if that begins a line
	item   int // indent of the current item, for a brace
}

// formatter writes tokens to lines.
type formatter struct {
	toks   []placed
	lines  []fmtLine
	levels []level
	base   int         // indent of the current item outside of brackets
	last   lexer.Token // the last one written that is no comment
}

// fmtLine is a line of output. A trailing comment is kept apart, to be aligned.
type fmtLine struct {
	code    []byte
	width   int // of code, in characters
	indent  int
	comment string
}

func (f *formatter) line() *fmtLine { return &f.lines[len(f.lines)-1] }

func (f *formatter) write(text string) {
	l := f.line()
	l.code = append(l.code, text...)
	l.width += utf8.RuneCountInString(text)
}

func (f *formatter) put(i int) {
	t := f.toks[i]
	closing := t.Type == tokPunct && (t.Value == ")" || t.Value == "]" || t.Value == "}")
	switch {
	case i == 0 || t.breaks > 0:
		f.newLine(t, closing)
	case t.comment():
		f.line().comment = t.Value
		return
	case spaced(f.toks, i):
		f.write(" ")
	}
	f.write(t.Value)
	if !t.comment() {
		f.last = t.Token
	}
	if closing {
		f.levels = f.levels[:len(f.levels)-1]
	}
	if t.Type == tokPunct && (t.Value == "(" || t.Value == "[" || t.Value == "{") {
		f.open(i)
	}
}

// newLine begins the line of t.
func (f *formatter) newLine(t placed, closing bool) {
	if t.breaks == 2 {
		f.lines = append(f.lines, fmtLine{})
	}
	indent := f.indentOf(t, closing)
	f.lines = append(f.lines, fmtLine{indent: indent})
	f.write(strings.Repeat(" ", indent))
}

func (f *formatter) indentOf(t placed, closing bool) int {
	if len(f.levels) == 0 {
		if t.begins || t.comment() && !f.continues() {
			f.base = 0
			return 0
		}
		return indentWidth
	}
	l := &f.levels[len(f.levels)-1]
	switch {
	case closing:
		return l.close
	case !l.brace:
		return l.indent
	case t.begins || t.comment() && !f.continues():
		l.item = l.indent
		return l.indent
	}
	return l.item + indentWidth
}

// continues reports whether the code written last goes on on the next line.
func (f *formatter) continues() bool {
	return f.last.Value != "" && !endsOperand(f.last) && !is(f.last, "{")
}

// open notes where lines inside the bracket at i are to begin.
func (f *formatter) open(i int) {
	line := f.line()
	inside := len(f.levels) > 0 && !f.levels[len(f.levels)-1].brace
	item := line.indent
	if !inside {
		item = f.itemIndent()
	}
	if is(f.toks[i].Token, "{") {
		f.levels = append(f.levels, level{true, item + indentWidth, item, item + indentWidth})
		return
	}
	next := f.toks[i+1]
	if next.breaks == 0 && !next.comment() {
		f.levels = append(f.levels, level{indent: line.width, close: line.width - 1})
		return
	}
	f.levels = append(f.levels, level{indent: line.indent + indentWidth, close: line.indent})
}

// itemIndent returns the indent of the item that is being written.
func (f *formatter) itemIndent() int {
	if len(f.levels) == 0 {
		return f.base
	}
	return f.levels[len(f.levels)-1].item
}

// text joins the lines. Trailing comments of neighbouring lines are aligned.
func (f *formatter) text() []byte {
	var out bytes.Buffer
	for i := 0; i < len(f.lines); {
		end, width := i, 0
		for ; end < len(f.lines) && f.lines[end].comment != ""; end++ {
			width = max(width, f.lines[end].width)
		}
		for end = max(end, i+1); i < end; i++ {
			f.lines[i].write(&out, width)
		}
	}
	return out.Bytes()
}

// write writes a line whose comment, if any, stands two blanks behind width columns.
func (l *fmtLine) write(out *bytes.Buffer, width int) {
	out.Write(l.code)
	if l.comment != "" {
		out.WriteString(strings.Repeat(" ", width-l.width+2) + l.comment)
	}
	out.WriteByte('\n')
}
