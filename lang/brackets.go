package lang

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"vitc/ir/diag"
)

// The scanner balances brackets, so that the parser can find the end of any item by
// counting. A missing bracket is reported once, at the one left open, and supplied.

var closerOf = map[string]string{"(": ")", "[": "]", "{": "}"}

func (s *scanner) opening(t lexer.Token) {
	if len(s.open) == maxDepth {
		s.report.lexical(&diag.Diagnostic{Code: codeDepth, Pos: at(t),
			Msg: fmt.Sprintf("brackets are nested more than %d deep", maxDepth)}, t.Pos.Offset)
		s.fatal = true
		return
	}
	s.open = append(s.open, bracket{t, s.indent})
	s.emit(t)
	s.ender = false
}

func (s *scanner) closing(t lexer.Token) {
	depth := s.partner(t.Value)
	if depth < 0 && len(s.open) > 0 && s.top() != "{" {
		s.mismatched(t)
		return
	}
	if depth < 0 {
		s.report.lexical(&diag.Diagnostic{Code: codeBracket, Pos: at(t),
			Msg: "`" + t.Value + "` closes nothing", Label: "no open bracket matches", Fix: "delete it"}, t.Pos.Offset)
		s.fresh = false
		return
	}
	s.abandon(depth+1, t.Pos, nil)
	opener := s.open[depth]
	if t.Value == "}" {
		if s.fresh && s.indent < opener.indent && s.suspect == nil {
			s.suspect = &suspicion{opener.tok, t}
		}
		s.end(t.Pos)
	}
	s.open = s.open[:depth]
	s.emit(t)
	s.ender = true
}

// mismatched reports t, which closes another kind of bracket than the open one, and
// takes it for the right one.
func (s *scanner) mismatched(t lexer.Token) {
	opener := s.open[len(s.open)-1].tok
	s.report.lexical(&diag.Diagnostic{Code: codeBracket, Pos: at(t),
		Msg:   "`" + t.Value + "` does not close `" + opener.Value + "`",
		Notes: []diag.Note{{Pos: at(opener), Text: "opened here"}}, Fix: closerOf[opener.Value]}, t.Pos.Offset)
	s.open = s.open[:len(s.open)-1]
	t.Value = closerOf[opener.Value]
	s.emit(t)
	s.ender = true
}

// partner returns the index of the open bracket that closer closes, -1 for none. A brace
// closes over what is open inside it; parentheses do not reach beyond a brace.
func (s *scanner) partner(closer string) int {
	for i := len(s.open) - 1; i >= 0; i-- {
		opener := s.open[i].tok.Value
		if closerOf[opener] == closer {
			return i
		}
		if opener == "{" {
			break
		}
	}
	return -1
}

// abandon closes the open brackets from index depth on, reporting the innermost. before,
// if any, is the token that shows that they were meant to be closed.
func (s *scanner) abandon(depth int, pos lexer.Position, before *lexer.Token) {
	if depth >= len(s.open) {
		return
	}
	s.reportUnclosed(s.open[len(s.open)-1].tok, pos, before)
	for len(s.open) > depth {
		opener := s.open[len(s.open)-1].tok
		if opener.Value == "{" {
			s.end(pos)
		}
		s.toks = append(s.toks, lexer.Token{Type: tokPunct, Value: closerOf[opener.Value], Pos: pos})
		s.open = s.open[:len(s.open)-1]
		s.report.damage(opener.Pos.Offset)
		s.ender = true
	}
}

func (s *scanner) reportUnclosed(opener lexer.Token, pos lexer.Position, before *lexer.Token) {
	d := &diag.Diagnostic{Code: codeBracket, Label: "opened here",
		Fix: "a `" + closerOf[opener.Value] + "` where it should end"}
	switch {
	case opener.Value == "{" && s.suspect != nil:
		opener = s.suspect.open
		d.Notes = []diag.Note{{Pos: at(s.suspect.close), Text: "this `}` closes it, but stands further left: one may be missing above"}}
	case before != nil:
		here := lexer.Token{Pos: before.Pos, Value: before.Value}
		d.Notes = []diag.Note{{Pos: at(here), Text: "`" + before.Value + "` begins something new"}}
	case strings.TrimLeft(s.text[pos.Offset:], " \t\r\n") == "":
		d.Notes = []diag.Note{{Text: "the file ends before that"}}
	default:
		t := lexer.Token{Pos: pos, Value: s.text[pos.Offset : pos.Offset+1]}
		d.Notes = []diag.Note{{Pos: at(t), Text: "`" + t.Value + "` comes first"}}
	}
	d.Pos = at(opener)
	d.Msg = "`" + opener.Value + "` is never closed"
	s.report.lexical(d, opener.Pos.Offset)
}

// Words that, first on a line, show that brackets open there were forgotten.
var (
	itemWords = set("let param state require use module")
	declWords = set("use module host model train eval data plan sweep import")
)

// checkAbandoned closes forgotten brackets where t, the first word of a line, can only
// begin something new: a member or statement inside parentheses, or, in the first
// column, a declaration inside anything.
func (s *scanner) checkAbandoned(t lexer.Token) {
	last := s.toks[len(s.toks)-1] // the open bracket at least
	if last.Value == ":" || last.Value == "." {
		return
	}
	depth := len(s.open)
	if itemWords[t.Value] {
		for depth > 0 && s.open[depth-1].tok.Value != "{" {
			depth--
		}
	}
	if t.Pos.Column == 1 && declWords[t.Value] && s.nameFollows() {
		depth = 0
	}
	if depth == len(s.open) {
		return
	}
	s.abandon(depth, s.pos, &t)
	s.end(t.Pos)
}

// nameFollows reports whether the rest of the line begins with a blank and a name, or
// the string of a use.
func (s *scanner) nameFollows() bool {
	rest := s.rest()
	trimmed := strings.TrimLeft(rest, " \t")
	n := nameLength(trimmed)
	return len(trimmed) < len(rest) && (n > 0 && !reserved[trimmed[:n]] || strings.HasPrefix(trimmed, `"`))
}

// finish closes what the end of the file left open.
func (s *scanner) finish() {
	s.abandon(0, s.pos, nil)
	s.end(s.pos)
	s.toks = append(s.toks, lexer.EOFToken(s.pos))
}
