package lang

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// Edition is the edition of the language that this compiler reads.
const Edition = 1

// Parse reads a source file. It returns what it could understand, never nil, and every
// error it found: at most one for each declaration, member and statement, so that no
// error causes another.
func Parse(name string, src []byte) (*File, diag.List) {
	r := read(name, src)
	return r.file, r.list
}

// reading is what there is to know of a file's text: the tree for the checker, the
// tokens for the formatter. Without readable text there are no tokens.
type reading struct {
	file       *File
	all        []lexer.Token // see scanner
	begins     map[int]bool  // offsets of tokens that begin an item
	separators map[int]bool  // see parser
	list       diag.List
}

func read(name string, src []byte) *reading {
	file := &File{Span: Span{diag.Pos{File: name, Line: 1, Col: 1}}, Name: name}
	if d := unreadable(name, src); d != nil {
		return &reading{file: file, list: diag.List{d}}
	}
	report := &reporter{}
	s := scan(name, string(src), report)
	if s.fatal {
		return &reading{file: file, list: report.list.Sorted()}
	}
	p := &parser{toks: s.toks, report: report, separators: map[int]bool{}}
	for offset := range report.damaged {
		p.damaged = append(p.damaged, offset)
	}
	slices.Sort(p.damaged)
	p.file(file)
	return &reading{file, s.all, p.begins(), p.separators, report.list.Sorted()}
}

// begins returns the offsets of the tokens that begin an item.
func (p *parser) begins() map[int]bool {
	out := map[int]bool{}
	first := true
	for _, t := range p.toks {
		if first && t.Type != tokEnd {
			out[t.Pos.Offset] = true
		}
		first = t.Type == tokEnd || t.Type == tokDoc || is(t, "{") || p.separators[t.Pos.Offset]
	}
	return out
}

// unreadable checks what must hold of a file before its characters are looked at.
func unreadable(name string, src []byte) *diag.Diagnostic {
	d := &diag.Diagnostic{Code: codeSource, Pos: diag.Pos{File: name}}
	if len(src) > maxSource {
		d.Msg = fmt.Sprintf("a source file is larger than %d KiB", maxSource>>10)
		d.Expected = fmt.Sprintf("at most that; found %d KiB", (len(src)+1023)>>10)
		return d
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			before := string(src[:i])
			d.Msg = "the file is not UTF-8 text"
			d.Pos.Line = strings.Count(before, "\n") + 1
			d.Pos.Col = i - strings.LastIndex(before, "\n")
			d.Label = fmt.Sprintf("byte 0x%02x begins no character", src[i])
			return d
		}
		i += n
	}
	return nil
}

// parser walks the tokens item by item: a declaration's head, a member, a statement. The
// scanner has balanced the brackets, so an item's end can be found whatever is in it.
type parser struct {
	toks    []lexer.Token
	i       int
	report  *reporter
	damaged []int // offsets of lexical errors, ascending
	// separators are the offsets of commas that end members, as a new line would.
	separators map[int]bool
}

func (p *parser) peek() lexer.Token { return p.toks[p.i] }

// second returns the token behind the next one.
func (p *parser) second() lexer.Token { return p.toks[min(p.i+1, len(p.toks)-1)] }

// fail reports d, an error in the tokens from index from to index to, unless a lexical
// error there has been reported.
func (p *parser) fail(from, to int, d *diag.Diagnostic) {
	low, high := 0, p.toks[to].Pos.Offset
	if from > 0 {
		low = p.toks[from-1].Pos.Offset + 1
	}
	i, _ := slices.BinarySearch(p.damaged, low)
	if i < len(p.damaged) && p.damaged[i] <= high {
		return
	}
	p.report.add(d)
}

// end returns the index of the token that ends the item beginning at p.i: an END, a
// closing brace, the end of the file, and whatever stop says, outside of brackets.
func (p *parser) end(stop func(i int) bool) int {
	depth := 0
	for i := p.i; ; i++ {
		t := p.toks[i]
		if t.Type == tokEOF || depth == 0 && (t.Type == tokEnd || is(t, "}") || stop(i)) {
			return i
		}
		if t.Type != tokPunct {
			continue
		}
		switch t.Value {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
	}
}

// Where an item ends earlier than its line.
func (p *parser) atNothing(int) bool { return false }
func (p *parser) atBrace(i int) bool { return is(p.toks[i], "{") }

// atComma stops at the commas between members, but not at those within one.
func (p *parser) atComma(i int) bool {
	if !is(p.toks[i], ",") {
		return false
	}
	inLoop := i >= 2 && is(p.toks[i-2], "for")
	inRequire := is(p.toks[p.i], "require") && p.toks[i+1].Type == tokString
	return !inLoop && !inRequire
}

// leaf parses the item from p.i to the token at index end by production P and moves
// behind what P took, after an error to end.
func leaf[P any](p *parser, end int) (*P, bool) {
	item := slices.Clone(p.toks[p.i : end+1])
	last := &item[len(item)-1]
	*last = lexer.Token{Type: tokEOF, Value: describe(*last), Pos: last.Pos}
	v, n, err := parseItem[P](item)
	if err != nil {
		p.fail(p.i, end, translate(err, item))
		p.i = end
		return v, false
	}
	p.i += n
	return v, true
}

// docs consumes documentation comments.
func (p *parser) docs() []string {
	start := p.i
	for p.peek().Type == tokDoc {
		p.i++
	}
	return docLines(p.toks[start:p.i])
}

// finish consumes the end of an item. What else stands there is an error; the item's
// first token is at index from.
func (p *parser) finish(from int, commas bool) {
	t := p.peek()
	switch {
	case t.Type == tokEnd:
		p.i++
		return
	case commas && is(t, ","):
		p.i++
		p.separators[t.Pos.Offset] = true
		return
	case t.Type == tokEOF, is(t, "}"):
		return
	}
	end := p.end(p.atNothing)
	d := leftover(t)
	if first := p.lineStart(from); first > from {
		goesOn(d, p.toks[first-1], t)
	}
	p.fail(from, end, d)
	p.i = end
	if p.peek().Type == tokEnd {
		p.i++
	}
}

// lineStart returns the index of the first token on the next token's line, at least from.
func (p *parser) lineStart(from int) int {
	i := p.i
	for i > from && p.toks[i-1].Pos.Line == p.peek().Pos.Line {
		i--
	}
	return i
}

// leftover reports t behind a complete item.
func leftover(t lexer.Token) *diag.Diagnostic {
	d := unexpected(t, "the end of the line")
	switch {
	case is(t, "="):
		d.Code, d.Fix = codeForeign, "let name = ..., or state <- ..."
		d.Msg, d.Label = "`=` does not assign", "expected the end of the line"
	case is(t, "{"):
		d.Fix = "only module, fn, blocks, repeat and for have a body in braces"
	case is(t, "else"):
		d.Fix = "a if condition else b"
	}
	return d
}

// file = ["edition" Number END] {decl END}
func (p *parser) file(f *File) {
	f.Edition = p.edition(f.Name)
	for p.peek().Type != tokEOF {
		start := p.i
		if is(p.peek(), "}") { // its opening bracket was lost with a broken item
			p.i++
			continue
		}
		if d := p.decl(); d != nil {
			f.Decls = append(f.Decls, d)
		}
		p.finish(start, false)
	}
}

// edition reads the first line, and reports its absence.
func (p *parser) edition(name string) int {
	t := p.peek()
	if !is(t, "edition") {
		d := &diag.Diagnostic{Code: codeEdition, Msg: "the file does not say its edition", Pos: at(t),
			Label: "expected `edition " + fmt.Sprint(Edition) + "` before this", Fix: "begin the file with `edition " + fmt.Sprint(Edition) + "`"}
		if t.Type == tokEOF {
			d.Label = "the file is empty"
		}
		p.report.add(d)
		return 0
	}
	p.i++
	n := p.peek()
	defer func(from int) { p.finish(from, false) }(p.i)
	if n.Type != tokNumber {
		p.fail(p.i, p.i, unexpected(n, "the edition's number"))
		p.i = p.end(p.atNothing)
		return 0
	}
	p.i++
	if n.Value != fmt.Sprint(Edition) {
		p.fail(p.i-1, p.i, &diag.Diagnostic{Code: codeEdition, Msg: "edition " + clipText(n.Value) + " is unknown",
			Pos: at(n), Label: "this compiler reads edition " + fmt.Sprint(Edition), Fix: fmt.Sprintf("edition %d", Edition)})
		return 0
	}
	return Edition
}

// decl parses a declaration. It returns nil where there is nothing to return.
func (p *parser) decl() Decl {
	docs := p.docs()
	switch t := p.peek(); t.Value {
	case "use":
		v, ok := leaf[useItems](p, p.end(p.atNothing))
		return some(v.node(), ok)
	case "let":
		v, _ := leaf[letItem](p, p.end(p.atNothing))
		return some(v.node(docs), v.Name != nil)
	case "host":
		v, ok := leaf[hostHead](p, p.end(p.atNothing))
		return some(v.node(docs), ok)
	case "model":
		v, _ := leaf[modelItem](p, p.end(p.atNothing))
		return some(v.node(docs), v.Name != nil)
	case "fn":
		f := p.fn(docs)
		if f != nil && f.Name == nil {
			p.report.add(&diag.Diagnostic{Code: codeExpected, Msg: "a function needs a name here", Pos: f.At,
				Label: "expected a name behind `fn`", Notes: []diag.Note{{Text: "only a module's or block's own function has none"}}})
			return nil
		}
		return some(f, f != nil)
	case "module":
		return p.module(docs)
	case "train", "eval", "data", "plan", "sweep", "import":
		return p.config(docs)
	default:
		p.noDecl(t)
		return nil
	}
}

// some returns d as a Decl if ok, else nil.
func some[D Decl](d D, ok bool) Decl {
	if !ok {
		return nil
	}
	return d
}

// noDecl reports a word that begins no declaration, and passes over the item.
func (p *parser) noDecl(t lexer.Token) {
	start, end := p.i, p.end(p.atNothing)
	p.i = end
	if t.Type == tokEnd || t.Type == tokEOF { // comments that document nothing
		return
	}
	if operator(t) != "" {
		p.fail(start, end, lineBegins(t, "a declaration"))
		return
	}
	d := unexpected(t, "a declaration")
	d.Expected = "one of " + strings.Join(names(topWords), ", ")
	switch {
	case is(t, "edition"):
		d = &diag.Diagnostic{Code: codeEdition, Msg: "`edition` stands at the top of the file", Pos: at(t), Label: "not here"}
	case memberWords[t.Value]:
		d.Code, d.Label = codeDecl, "belongs in a module or a block"
		d.Expected = ""
	case t.Type == tokIdent:
		d.Code, d.Msg = codeDecl, "`"+clipText(t.Value)+"` begins no declaration"
		d.Label = ""
		d.Fix = diag.Nearest(t.Value, names(topWords))
	}
	p.fail(start, end, d)
}

var (
	topWords    = set("use module fn let host model train eval data plan sweep import")
	memberWords = set("axis param state require")
)

// fn parses a function, a declaration or a member. It returns nil if its head is broken;
// the body is then read for its errors only.
func (p *parser) fn(docs []string) *Fn {
	start := p.i
	v, ok := leaf[fnHead](p, p.end(p.atBrace))
	if !p.brace(start, ok, "`->` and a result, or `{`") {
		return nil
	}
	body, end := p.stmts()
	if !ok {
		return nil
	}
	f := v.node(docs)
	f.Body, f.End = body, end
	return f
}

func (p *parser) module(docs []string) Decl {
	start := p.i
	v, ok := leaf[moduleHead](p, p.end(p.atBrace))
	if !p.brace(start, ok, "`{`") {
		return nil
	}
	body := p.members()
	if !ok {
		return nil
	}
	m := v.node(docs)
	m.Body = body
	return m
}

func (p *parser) config(docs []string) Decl {
	start := p.i
	v, ok := leaf[configHead](p, p.end(p.atBrace))
	want := "`{`"
	if ok && v.Target == nil && v.Yields == nil {
		want = "`of`, `for`, `->` or `{`"
	}
	if !p.brace(start, ok, want) {
		return nil
	}
	body := p.members()
	if !ok {
		return nil
	}
	c := v.node(docs)
	c.Body = body
	return c
}

// brace consumes the brace that begins a body. headOK says that what stands before it
// was understood; if not, only a brace that stands in its place is taken.
func (p *parser) brace(start int, headOK bool, want string) bool {
	t := p.peek()
	if is(t, "{") {
		p.i++
		return true
	}
	if t.Type == tokEnd && is(p.second(), "{") {
		if headOK {
			p.fail(start, p.i+1, &diag.Diagnostic{Code: codeLine, Msg: "a line cannot begin with `{`", Pos: at(p.second()),
				Label: "the body's brace", Fix: "end the line above with `{`"})
		}
		p.i += 2
		return true
	}
	if headOK {
		end := p.end(p.atBrace)
		p.fail(start, end, unexpected(t, want))
		p.i = end
		if is(p.peek(), "{") {
			p.i++
			return true
		}
	}
	return false
}

// closeBody consumes the brace that ends a body, and returns its place.
func (p *parser) closeBody() diag.Pos {
	t := p.peek()
	if is(t, "}") {
		p.i++
	}
	return at(t)
}

// inBody reports whether another item stands before the body's end.
func (p *parser) inBody() bool { return !is(p.peek(), "}") && p.peek().Type != tokEOF }
