package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// blockSettings lists, for each kind of block, its settings; a table is one in braces.
var blockSettings = map[Kind][]setting{
	Data:   {{name: "source"}, {name: "stages"}, {name: "shuffle"}},
	Train:  {{name: "data"}, {name: "batch"}, {name: "steps"}, {name: "epochs"}, {name: "seed"}, {name: "precision"}, {name: "rate"}, {name: "clip"}, {name: "ema"}, {"optimizer", true}, {"start", true}},
	Eval:   {{name: "data"}, {name: "batch"}, {name: "every"}, {name: "weights"}},
	Plan:   {{name: "devices"}, {name: "mesh"}, {"shard", true}, {"remat", true}, {name: "reserve"}, {name: "overlap"}, {name: "micro"}},
	Import: {{name: "unused"}},
}

// setting is one setting that a kind of block has.
type setting struct {
	name  string
	table bool
}

// block is a data, train or eval block with its members elaborated.
type block struct {
	decl     *Config
	f        *frame // its members are in scope
	inst     *instance
	settings map[string]*Setting
}

// newBlock elaborates a block's members. args holds its parameters, nil for defaults;
// parent is the scope around, and symbols the words that its settings know.
func (f *frame) newBlock(decl *Config, b *arguments, symbols ...string) (*block, bool) {
	for _, s := range symbols {
		if _, hidden := f.lookup(s); !hidden {
			f.env.set(s, symbol(s))
		}
	}
	f.inst = &instance{name: decl.Name.Name, env: f.env, fields: true}
	out := &block{decl: decl, f: f, inst: f.inst, settings: map[string]*Setting{}}
	ok := b == nil || f.define(b, func(string) bool { return true })
	for _, m := range decl.Body {
		ok = out.member(m) && ok
	}
	return out, ok
}

func (b *block) member(m Member) bool {
	switch m := m.(type) {
	case *Setting:
		return b.setting(m)
	case *Entry:
		if b.decl.Kind == Import {
			return true // it is evaluated for each leaf that it fills
		}
		b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.KeyPos(), Msg: fmt.Sprintf("%s has no lines of its own", b.what()), Expected: oneOf(b.settingNames())})
		return false
	case *Fn, *Stored:
		if b.decl.Kind == Data || b.decl.Kind == Plan || b.decl.Kind == Import {
			b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.Pos(), Msg: b.what() + " has settings alone", Expected: oneOf(b.settingNames())})
			return false
		}
	}
	return b.f.commonMember(m)
}

func (b *block) what() string { return (&blockValue{b.decl}).kind() }

func (b *block) settingNames() []string {
	var out []string
	for _, s := range blockSettings[b.decl.Kind] {
		out = append(out, s.name)
	}
	return out
}

func (b *block) setting(m *Setting) bool {
	i := slices.IndexFunc(blockSettings[b.decl.Kind], func(s setting) bool { return s.name == m.Key.Name })
	switch {
	case i < 0:
		b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.Key.At, Msg: fmt.Sprintf("%s has no setting `%s`", b.what(), m.Key.Name),
			Expected: oneOf(b.settingNames()), Fix: diag.Nearest(m.Key.Name, b.settingNames())})
		return false
	case b.settings[m.Key.Name] != nil:
		b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.Key.At, Msg: fmt.Sprintf("`%s` is set twice", m.Key.Name),
			Notes: []diag.Note{{Pos: b.settings[m.Key.Name].At, Text: "the first time"}}})
		return false
	case m.Table != nil && !blockSettings[b.decl.Kind][i].table:
		b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: m.Key.At, Msg: fmt.Sprintf("`%s` is no table", m.Key.Name), Fix: m.Key.Name + ": value"})
		return false
	}
	b.settings[m.Key.Name] = m
	return true
}

// value evaluates a setting; nil where it is absent.
func (b *block) value(name string) value {
	s := b.settings[name]
	if s == nil || s.Value == nil {
		return nil
	}
	return b.f.eval(s.Value)
}

// missing reports a setting that must be there.
func (b *block) missing(name, fix string) {
	b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: b.decl.Name.At, Msg: fmt.Sprintf("`%s` lacks the setting `%s`", b.decl.Name.Name, name), Fix: fix})
}

// bad reports a setting's value.
func (b *block) bad(name, expected string, v value) {
	if isBad(v) {
		return
	}
	b.f.report(&diag.Diagnostic{Code: codeValue, Pos: b.settings[name].Value.Pos(), Msg: fmt.Sprintf("`%s` cannot be %s", name, describeValue(v)), Expected: expected})
}

// count reads a setting that is a whole number, of at least `least`; 0 where it is absent.
func (b *block) count(name string, least int) (int, bool) {
	v := b.value(name)
	if v == nil {
		return 0, true
	}
	n, ok := integer(v)
	if most := 1 << 31; ok && n > most {
		b.bad(name, fmt.Sprintf("a whole number, at most %d", most), v)
		return 0, false
	}
	if !ok || n < least {
		b.bad(name, fmt.Sprintf("a whole number, at least %d", least), v)
		return 0, false
	}
	return n, true
}

// number reads a setting that is a number in an open range.
func (b *block) number(name string, above, below float64, expected string) (float64, bool) {
	v := b.value(name)
	if v == nil {
		return 0, true
	}
	n, ok := numeric(v)
	if !ok || n.v <= above || n.v >= below {
		b.bad(name, expected, v)
		return 0, false
	}
	return n.v, true
}

// hostCall evaluates a call of a function that the runtime implements.
func (f *frame) hostCall(h *hostValue, b *arguments, at diag.Pos) value {
	if !f.complete(b, at) {
		return bad{}
	}
	g := f.enter(at, "", h.env)
	if !g.define(b, func(string) bool { return true }) {
		return bad{}
	}
	call := ir.Call{Name: h.decl.Name.Name, Pos: at}
	for i, p := range b.sig.list() {
		v, ok := g.hostArg(b.vals[i], b.at[i])
		if !ok {
			return bad{}
		}
		call.Args = append(call.Args, ir.Arg{Name: p.Name.Name, Value: v})
	}
	return &hosted{call}
}

// hostArg converts a value for the runtime: a string, float64, bool or list of those.
func (f *frame) hostArg(v value, at diag.Pos) (any, bool) {
	f.tick(at) // lists of lists that share items are written out
	switch v := v.(type) {
	case bad:
		return nil, false
	case text:
		return string(v), true
	case symbol:
		return string(v), true
	case boolean:
		return bool(v), true
	case list:
		var out []any
		for _, x := range v {
			y, ok := f.hostArg(x, at)
			if !ok {
				return nil, false
			}
			out = append(out, y)
		}
		return out, true
	}
	if n, ok := numeric(v); ok {
		return n.v, true
	}
	f.report(&diag.Diagnostic{Code: codeKind, Pos: at, Msg: fmt.Sprintf("the runtime does not take %s", v.kind()), Expected: "a number, string, bool or a list of those"})
	return nil, false
}

// fileDir is the folder of a source file.
func fileDir(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}
