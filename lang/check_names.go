package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir/diag"
)

// fileEnv is the scope of a file's own declarations.
func (c *checker) fileEnv(s *source) *env {
	if e := c.files[s]; e != nil {
		return e
	}
	e := &env{vars: map[string]value{}, file: s, busy: map[string]bool{}}
	c.files[s] = e
	return e
}

// lookup finds what a name means: in the scopes around, in the file, built in.
func (f *frame) lookup(name string) (value, bool) {
	for e := f.env; e != nil; e = e.parent {
		if v, ok := e.vars[name]; ok {
			return v, true
		}
		if e.file != nil {
			if v, ok := f.c.declared(e, name); ok {
				return v, true
			}
		}
	}
	if b := builtins[name]; b != nil {
		return b, true
	}
	if d, ok := dtypeNames[name]; ok {
		return d, true
	}
	return nil, false
}

// declared evaluates a file's declaration when it is first asked for.
func (c *checker) declared(e *env, name string) (value, bool) {
	d, ok := e.file.decls[name]
	if !ok {
		return nil, false
	}
	if e.busy[name] {
		return c.report(&diag.Diagnostic{Code: codeRecursion, Pos: declName(d).At, Msg: fmt.Sprintf("`%s` is defined by itself", name),
			Fix: "a value that does not need it"}), true
	}
	e.busy[name] = true
	v := c.declaration(e, name, d)
	delete(e.busy, name)
	e.vars[name] = v
	return v, true
}

func (c *checker) declaration(e *env, name string, d Decl) value {
	f := &frame{c: c, env: e}
	switch d := d.(type) {
	case *Use:
		if s := e.file.uses[name]; s != nil {
			return namespace{s}
		}
	case *Module:
		return &moduleValue{d, e}
	case *Fn:
		return &function{decl: d, env: e, name: name}
	case *Let:
		return f.typed(d.Type, f.eval(d.Value), d.Value.Pos())
	case *Host:
		return &hostValue{d, e}
	case *Model:
		return f.recipeOf(d.Value, "a model")
	case *Config:
		if d.Kind == Data {
			return &dataValue{d, e}
		}
		if d.Kind == Import {
			return &importValue{d, e}
		}
		return &blockValue{d}
	}
	return bad{}
}

// name evaluates a mention of a name.
func (f *frame) name(n *Name) value {
	if n.Name == "training" {
		return f.trainingMode(n)
	}
	v, ok := f.lookup(n.Name)
	if !ok {
		return f.unknown(n.Name, n.At)
	}
	return f.use(v, n.At)
}

// use turns the names of stored values into tensors.
func (f *frame) use(v value, at diag.Pos) value {
	switch v := v.(type) {
	case *stored:
		if f.s == nil {
			return f.outside(at)
		}
		return f.read(v.cell, at)
	case *constant:
		return v.tensor()
	}
	return v
}

func (f *frame) trainingMode(n *Name) value {
	if v, ok := f.lookup(n.Name); ok {
		return v
	}
	if f.s == nil {
		return f.report(&diag.Diagnostic{Code: codeOutside, Pos: n.At, Msg: "`training` is known only inside a `fn`",
			Fix: "choose in the `fn`: a if training else b"})
	}
	return boolean(f.training)
}

// otherLibraries says what to write for functions that other languages have.
var otherLibraries = map[string]string{
	"reshape":   "`x with a as (b, c)` splits an axis, `x with (b, c) as a` merges two",
	"view":      "`x with a as (b, c)` splits an axis, `x with (b, c) as a` merges two",
	"rearrange": "`x with a as (b, c)` splits an axis, `x with (b, c) as a` merges two",
	"flatten":   "x with (a, b) as c",
	"transpose": "leave it out: axes have names, and no order",
	"permute":   "leave it out: axes have names, and no order",
	"einsum":    "dot(a, b, over: axis)",
	"matmul":    "dot(a, b, over: axis)",
	"cat":       "concat(a, b, over: axis)",
	"squeeze":   "x[axis: 0]",
	"unsqueeze": "expand(x, axis)",
	"detach":    "stop(x)",
}

func (f *frame) unknown(name string, at diag.Pos) value {
	d := &diag.Diagnostic{Code: codeName, Pos: at, Msg: fmt.Sprintf("nothing here is called `%s`", name)}
	names := f.visibleNames()
	d.Fix = diag.Nearest(name, names)
	if d.Fix == "" {
		d.Fix = f.qualified(name)
	}
	if other := otherLibraries[name]; other != "" {
		d.Fix = other
	}
	return f.report(d)
}

// qualified finds the file in use that declares a name.
func (f *frame) qualified(name string) string {
	for e := f.env; e != nil; e = e.parent {
		if e.file == nil {
			continue
		}
		for _, prefix := range sortedKeys(e.file.uses) {
			if _, ok := e.file.uses[prefix].decls[name]; ok {
				return prefix + "." + name
			}
		}
	}
	for _, s := range stdlibDecls() {
		if slices.Contains(s.names, name) {
			return fmt.Sprintf("use %s, and %s.%s", s.file, s.file, name)
		}
	}
	return ""
}

// visibleNames lists every name in scope, inner ones first.
func (f *frame) visibleNames() []string {
	var out []string
	for e := f.env; e != nil; e = e.parent {
		out = append(out, sortedKeys(e.vars)...)
		if e.file != nil {
			out = append(out, sortedKeys(e.file.decls)...)
		}
	}
	out = append(out, sortedKeys(builtins)...)
	return append(out, sortedKeys(dtypeNames)...)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// field evaluates x.name.
func (f *frame) field(x *Field) value {
	v := f.eval(x.X)
	name := x.Name.Name
	switch v := v.(type) {
	case bad:
		return v
	case namespace:
		if got, ok := f.c.declared(f.c.fileEnv(v.file), name); ok {
			if _, used := got.(namespace); !used {
				return got
			}
		}
		return f.noMember(x, v.file.name, ownNames(v.file))
	case *record:
		if got, ok := v.vals[name]; ok {
			return got
		}
		return f.noMember(x, "the record", v.names)
	case *instance:
		return f.member(x, v)
	case *evalResult:
		return f.resultField(x, v)
	case *looped:
		if inst, ok := v.body.(*instance); ok {
			return f.loopMember(x, inst)
		}
	case axis:
		if name == "size" {
			return f.report(&diag.Diagnostic{Code: codeMember, Pos: x.Name.At, Msg: "an axis has no members", Fix: "the axis itself: as a number it is its size"})
		}
	}
	return f.report(&diag.Diagnostic{Code: codeMember, Pos: x.Name.At, Msg: fmt.Sprintf("%s has no members", v.kind())})
}

func ownNames(s *source) []string {
	var out []string
	for _, name := range sortedKeys(s.decls) {
		if _, used := s.decls[name].(*Use); !used {
			out = append(out, name)
		}
	}
	return out
}

func (f *frame) noMember(x *Field, of string, names []string) value {
	d := &diag.Diagnostic{Code: codeMember, Pos: x.Name.At, Msg: fmt.Sprintf("%s has no `%s`", of, x.Name.Name),
		Fix: diag.Nearest(x.Name.Name, names)}
	if len(names) > 0 {
		d.Expected = oneOf(names)
	}
	return f.report(d)
}

// oneOf lists what could stand in a place.
func oneOf(names []string) string {
	const most = 12
	switch {
	case len(names) == 1:
		return names[0]
	case len(names) > most:
		return fmt.Sprintf("one of %s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return "one of " + strings.Join(names, ", ")
}

func (f *frame) member(x *Field, inst *instance) value {
	v, ok := inst.env.vars[x.Name.Name]
	if !ok {
		return f.noMember(x, fmt.Sprintf("`%s`", inst.name), sortedKeys(inst.env.vars))
	}
	return f.use(v, x.Name.At)
}

// loopMember reads what is the same in every turn.
func (f *frame) loopMember(x *Field, inst *instance) value {
	v, ok := inst.env.vars[x.Name.Name]
	if !ok {
		return f.noMember(x, fmt.Sprintf("`%s`", inst.name), sortedKeys(inst.env.vars))
	}
	switch v.(type) {
	case *stored, *function, *instance, *looped, *chain, *turn:
		return f.report(&diag.Diagnostic{Code: codeMember, Pos: x.Name.At, Msg: fmt.Sprintf("`%s` differs in each turn of its `repeat`", x.Name.Name),
			Fix: "call the repeated instance as a whole"})
	}
	return v
}
