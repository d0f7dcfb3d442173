package lang

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// checker is one run over a unit: what the files' own names mean, and what was found.
type checker struct {
	unit    *Unit
	list    diag.List
	said    map[string]bool // errors by place and message: each is reported once
	files   map[*source]*env
	numbers map[*Call]int // see ordinal
	counted map[*Fn]bool
	steps   int
	soft    bool // what comes later is a warning: nobody trains this yet
}

func newChecker(u *Unit) *checker {
	return &checker{unit: u, said: map[string]bool{}, files: map[*source]*env{}, numbers: map[*Call]int{}, counted: map[*Fn]bool{}}
}

// env holds the names of one scope.
type env struct {
	vars   map[string]value
	parent *env
	file   *source // of a file's own scope: its declarations are evaluated when asked for
	busy   map[string]bool
}

func (e *env) child() *env { return &env{vars: map[string]value{}, parent: e} }

func (e *env) set(name string, v value) { e.vars[name] = v }

// frame is where an expression is evaluated: in a file, a module's body or a function's.
type frame struct {
	c        *checker
	env      *env
	inst     *instance // whose body or function this is, nil in a file's functions
	path     string    // of the instance that a let would make
	loops    []*loop   // repeats around, outermost first
	s        *scope    // the region under construction, nil outside functions
	store    *store    // where instances put their parameters
	training bool
	frozen   bool
	noMake   bool   // no instances here: inside a function
	chain    string // of calls from the instance's fn, for the keys of draws
	site     *site  // the instantiations and calls around, innermost first
	depth    int
}

// site is one instantiation or call around a frame.
type site struct {
	at   diag.Pos
	text string // what was called, as written
	name string // the module
	fn   *function
	up   *site
	loc  *diag.Loc
}

// fork returns a copy of the frame with a scope of its own.
func (f *frame) fork() *frame {
	g := *f
	g.env = f.env.child()
	return &g
}

// enter returns a frame for the body of something called at a place.
func (f *frame) enter(at diag.Pos, name string, parent *env) *frame {
	g := *f
	g.env = parent.child()
	g.depth++
	g.site = &site{at: at, text: f.c.excerpt(at), name: name, up: f.site, loc: f.loc(at)}
	return &g
}

func (f *frame) instancePath() string {
	if f.inst == nil {
		return ""
	}
	return f.inst.path
}

// loc is where an op built for a node comes from.
func (f *frame) loc(at diag.Pos) *diag.Loc {
	l := &diag.Loc{Pos: at, Path: f.instancePath()}
	if f.site != nil {
		l.From = f.site.loc
	}
	return l
}

// build returns the builder of the region under construction, for an op of a node.
func (f *frame) build(at diag.Pos) *ir.Builder {
	f.s.b.Pos = f.loc(at)
	return &f.s.b
}

// excerpt is the source text at a place.
func (c *checker) excerpt(at diag.Pos) string {
	src := c.unit.sources[at.File]
	if src == nil || !at.Valid() {
		return ""
	}
	if src.lines == nil {
		src.lines = strings.Split(string(src.text), "\n")
	}
	if at.Line > len(src.lines) {
		return ""
	}
	line := src.lines[at.Line-1]
	from, to := min(at.Col-1, len(line)), min(max(at.End-1, at.Col-1), len(line))
	return line[from:to]
}

// maxNotes is how many places of a chain of instantiations a message shows.
const maxNotes = 4

// report adds a diagnostic with the chain of instantiations and calls as notes.
func (f *frame) report(d *diag.Diagnostic) value {
	shown := 0
	for s := f.site; s != nil; s = s.up {
		if s.text == "" || s.at == d.Pos {
			continue
		}
		if shown++; shown > maxNotes {
			d.Notes = append(d.Notes, diag.Note{Text: "and further out"})
			break
		}
		d.Notes = append(d.Notes, diag.Note{Pos: s.at, Text: clipLine(s.text)})
	}
	return f.c.report(d)
}

func clipLine(s string) string {
	const most = 72
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

// report adds a diagnostic unless the same has been said of the same place.
func (c *checker) report(d *diag.Diagnostic) value {
	key := fmt.Sprintf("%s %s %s %s", d.Severity, d.Pos, d.Code, d.Msg)
	if !c.said[key] {
		c.said[key] = true
		c.list.Add(d)
	}
	return bad{}
}

// later reports a construct that the language has and the compiler has not.
func (f *frame) later(at diag.Pos, what string) value {
	d := &diag.Diagnostic{Code: codeLater, Pos: at, Msg: what + " comes later",
		Notes: []diag.Note{{Text: "it is of the language; this version of the compiler does not have it yet"}}}
	if f.c.soft {
		d.Severity = diag.Warning
	}
	return f.report(d)
}

// Limits that end what would not end by itself. Programs that people write stay far below.
const (
	maxSteps   = 500_000 // expressions evaluated in one run; ViT-22B takes 8,000
	maxCalls   = 100     // calls and instantiations within each other
	maxItems   = 10_000  // items of a list
	maxText    = 1 << 16 // bytes of a string
	maxProblem = 200
)

// tooMuch unwinds a run that has reached a limit.
type tooMuch struct{}

// tick counts work.
func (f *frame) tick(at diag.Pos) {
	f.c.steps++
	if f.c.steps > maxSteps || len(f.c.list) > maxProblem {
		if f.c.steps > maxSteps {
			f.report(&diag.Diagnostic{Code: codeRecursion, Pos: at, Msg: "checking this program takes too long",
				Label: fmt.Sprintf("after %d steps", maxSteps), Fix: "`repeat` in place of `for`, or fewer instances"})
		}
		panic(tooMuch{})
	}
}

// guard runs f, and turns a broken invariant of the compiler into a diagnostic.
func (c *checker) guard(run func()) {
	defer func() {
		switch e := recover().(type) {
		case nil, tooMuch:
		case *ir.Bug:
			d := &diag.Diagnostic{Code: codeBug, Msg: e.Error(), Notes: []diag.Note{{Text: "this is a bug of vitc, not of your program"}}}
			if e.Pos != nil {
				d.Pos = e.Pos.Pos
			}
			c.report(d)
		default:
			panic(e)
		}
	}()
	run()
}
