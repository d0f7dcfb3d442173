package ir

import (
	"errors"
	"strconv"
	"strings"

	"vitc/ir/diag"
)

// Parse reads the text form that Print writes, and verifies it. Errors name the text's line.
func Parse(src string) (m *Module, err error) {
	r := &textReader{src: src, line: 1}
	defer func() {
		if x := recover(); x != nil {
			var te *textError
			if e, ok := x.(error); ok && errors.As(e, &te) {
				m, err = nil, te
				return
			}
			if bug, ok := x.(*Bug); ok {
				m, err = nil, &textError{r.tok.line, bug.Msg}
				return
			}
			panic(x)
		}
	}()
	r.next()
	m = parseModule(r)
	if err := Verify(m); err != nil {
		return nil, err
	}
	return m, nil
}

func parseModule(r *textReader) *Module {
	if !r.word("ir") {
		r.fail("expected ir PHASE at the beginning, found %s", r.tok)
	}
	r.next()
	m := &Module{Phase: Phase(r.expect('w'))}
	switch m.Phase {
	case Built, Differentiated, Propagated, Partitioned, Scheduled:
	default:
		r.fail("there is no phase %q", m.Phase)
	}
	m.Mesh = parseMesh(r)
	for r.word("func") {
		f := parseFunc(r)
		if m.Func(f.Name) != nil {
			r.fail("two functions @%s", f.Name)
		}
		m.Funcs = append(m.Funcs, f)
	}
	if !r.at(0) {
		r.fail("expected func, found %s", r.tok)
	}
	return m
}

type funcReader struct {
	*textReader
	depth int
}

type scope map[string]*Value

func (s scope) define(r *textReader, v *Value) {
	if s[v.Name] != nil {
		r.fail("%%%s is defined twice", v.Name)
	}
	s[v.Name] = v
}

func parseFunc(r *textReader) *Func {
	p := &funcReader{textReader: r}
	r.next()
	f := &Func{Name: r.expect('@'), Body: &Region{}}
	sc := scope{}
	r.expect('(')
	for !r.accept(')') {
		v := p.value()
		sc.define(r, v)
		f.Body.Params = append(f.Body.Params, v)
		f.Args = append(f.Args, p.port(v))
		p.comma(')')
	}
	r.expect('>')
	r.expect('(')
	var results []Type
	for !r.accept(')') {
		results = append(results, p.typ())
		f.Results = append(f.Results, p.port(nil))
		p.comma(')')
	}
	if r.word("precision") {
		r.next()
		r.expect('=')
		d, ok := ParseDType(r.expect('w'))
		if !ok {
			r.fail("precision wants a dtype")
		}
		f.Precision = d
	}
	if r.word("arena") {
		r.next()
		r.expect('=')
		f.Arena = r.integer()
	}
	p.region(f.Body, sc)
	for i, v := range f.Body.Yield {
		if i < len(results) && !(v.Type.Same(results[i]) && v.Type.Shard.Equal(results[i].Shard)) {
			r.fail("result %d of @%s is %s, declared %s", i+1, f.Name, v.Type, results[i])
		}
	}
	return f
}

func (p *funcReader) comma(end byte) {
	if !p.at(end) {
		p.expect(',')
	}
}

func (p *funcReader) port(v *Value) Port {
	role := Role(p.expect('w'))
	switch role {
	case RoleState, RoleInput, RoleAcc, RoleMetric, RoleOutput:
	default:
		p.fail("there is no role %q", role)
	}
	p.expect('=')
	port := Port{role, p.expect('"')}
	if v != nil {
		v.Mem = p.mem()
	}
	return port
}

// value reads %name: type.
func (p *funcReader) value() *Value {
	name := p.expect('%')
	p.expect(':')
	v := &Value{Name: name, Type: p.typ()}
	return v
}

func (p *funcReader) typ() Type {
	flight := p.accept('~')
	d, ok := ParseDType(p.tok.text)
	if !ok || p.tok.kind != 'w' {
		p.fail("expected a dtype, found %s", p.tok)
	}
	p.next()
	t := Type{DType: d, Flight: flight}
	p.expect('[')
	size := 1
	for !p.accept(']') {
		dim := Dim{Label: p.expect('w')}
		p.expect(':')
		if dim.Size = p.integer(); dim.Size < 1 || size > (1<<50)/dim.Size {
			p.fail("a dim of %d", dim.Size)
		}
		size *= dim.Size
		if p.accept('/') {
			if dim.Global = p.integer(); dim.Global < 1 {
				p.fail("a dim of %d in all", dim.Global)
			}
		}
		t.Dims = append(t.Dims, dim)
		p.comma(']')
	}
	t.Shard = p.sharding(t)
	return t
}

func (p *funcReader) mem() *Slot {
	if !p.word("mem") {
		return nil
	}
	p.next()
	p.expect('(')
	s := &Slot{Space: p.expect('w')}
	p.expect(',')
	s.Offset = p.integer()
	p.expect(',')
	s.Bytes = p.integer()
	if p.accept(',') {
		p.expect('(')
		for !p.accept(')') {
			s.Steps = append(s.Steps, p.integer())
			p.comma(')')
		}
	}
	p.expect(')')
	return s
}

func (p *funcReader) region(r *Region, sc scope) {
	if p.depth++; p.depth > maxNesting {
		p.fail("regions nested deeper than %d", maxNesting)
	}
	p.expect('{')
	for !p.word("yield") {
		p.op(r, sc)
	}
	p.next()
	for p.at('%') || p.at('w') && !p.word("stack") {
		r.Yield = append(r.Yield, p.use(sc))
		if !p.accept(',') {
			break
		}
	}
	if p.word("stack") {
		p.next()
		p.expect('(')
		for !p.accept(')') {
			r.Stack = append(r.Stack, p.use(sc))
			p.comma(')')
		}
	}
	p.expect('}')
	p.depth--
}

// use reads an operand: a value in scope, or a number whose dtype is decided later.
func (p *funcReader) use(sc scope) *Value {
	if p.at('w') {
		x, err := strconv.ParseFloat(p.tok.text, 64)
		if err != nil {
			p.fail("expected an operand, found %s", p.tok)
		}
		p.next()
		return Literal(Invalid, x)
	}
	name := p.expect('%')
	v := sc[name]
	if v == nil {
		p.fail("%%%s is not defined here", name)
	}
	return v
}

func (p *funcReader) op(r *Region, sc scope) {
	var outs []*Value
	if p.at('%') {
		for {
			v := p.value()
			v.Mem = p.mem()
			outs = append(outs, v)
			if !p.accept(',') {
				break
			}
		}
		p.expect('=')
	}
	name := p.tok
	row := Lookup(p.expect('w'))
	if row == nil {
		p.tok = name
		p.fail("there is no op %s", name)
	}
	op := &Op{Row: row}
	if row.Attrs != nil {
		op.Attrs = row.Attrs()
	}
	hasBody := row.Name == "scan" || row.Name == "fusion"
	if hasBody {
		op.Body = &Region{}
	}
	inner := scope{}
	p.operands(op, sc, hasBody)
	p.attrs(op, sc, inner)
	if hasBody {
		p.region(op.Body, inner)
	}
	op.Pos = p.loc()
	p.finish(r, sc, op, outs)
}

func (p *funcReader) operands(op *Op, sc scope, hasBody bool) {
	for !hasBody && (p.at('%') || p.at('w') && numberLen(p.tok.text) > 0) {
		op.In = append(op.In, p.use(sc))
		if !p.accept(',') {
			break
		}
	}
	if p.at('[') {
		rule, err := ParseRule(p.rawRule())
		if err != nil {
			p.fail("%v", err)
		}
		op.Rule = rule
	}
}

// attrs reads name=value pairs and, where a region follows, groups of bindings.
func (p *funcReader) attrs(op *Op, sc, inner scope) {
	for p.at('w') && !p.word("loc") && !p.word("yield") {
		name := p.tok.text
		if op.Body != nil && isGroup(op, name) {
			p.binds(op, name, sc, inner)
			continue
		}
		if op.Attrs == nil || !p.attrAhead(op) {
			p.fail("%s has no attribute %q", op.Row.Name, name)
		}
		p.next()
		at := attr{name: name}
		if p.accept('=') {
			at.value = p.attrValue()
		}
		if err := setAttr(op.Attrs, at); err != nil {
			p.fail("%s: %v", op.Row.Name, err)
		}
	}
}

func isGroup(op *Op, name string) bool {
	for _, g := range bindGroups(op) {
		if g.name == name {
			return true
		}
	}
	return false
}

// attrAhead reports whether the word here names an attribute of the op.
func (p *funcReader) attrAhead(op *Op) bool {
	for _, n := range attrNames(op.Attrs) {
		if n == p.tok.text {
			return true
		}
	}
	return false
}

func (p *funcReader) attrValue() string {
	switch {
	case p.at('"'):
		return p.expect('"')
	case p.accept('('):
		var b strings.Builder
		for !p.accept(')') {
			b.WriteString(p.expect('w') + ",")
			p.comma(')')
		}
		return b.String()
	}
	return p.expect('w')
}

func (p *funcReader) binds(op *Op, group string, sc, inner scope) {
	p.next()
	p.expect('(')
	for !p.accept(')') {
		v := &Value{Name: p.expect('%')}
		p.expect('=')
		outer := p.use(sc)
		v.Mem = p.mem()
		v.Type = outer.Type
		if a, ok := op.Attrs.(*ScanAttrs); ok {
			switch group {
			case "carry":
				a.Carry++
			case "each":
				a.Each++
				if v.Type.Rank() == 0 {
					p.fail("each of the scalar %%%s", outer.Name)
				}
				v.Type = EachType(v.Type)
			}
		}
		inner.define(p.textReader, v)
		op.In = append(op.In, outer)
		op.Body.Params = append(op.Body.Params, v)
		p.comma(')')
	}
}

func (p *funcReader) loc() *diag.Loc {
	if !p.word("loc") {
		return nil
	}
	p.next()
	p.expect('(')
	first := &diag.Loc{}
	for at := first; ; {
		at.File = p.expect('"')
		p.expect(':')
		at.Line = p.integer()
		p.expect(':')
		at.Col = p.integer()
		if !p.accept('<') {
			break
		}
		at.From = &diag.Loc{}
		at = at.From
	}
	p.expect(';')
	first.Path = p.expect('"')
	p.expect(')')
	return first
}

// finish types the literals, infers the op and enters its results.
func (p *funcReader) finish(r *Region, sc scope, op *Op, outs []*Value) {
	typeLiterals(op, outs)
	want := typesOf(outs)
	types, err := infer(op, want)
	if err != nil {
		p.fail("%v", err)
	}
	if len(types) != len(outs) {
		p.fail("%s gives %d results, %d are named", op.Row.Name, len(types), len(outs))
	}
	for _, v := range outs {
		v.Def, v.Pos = op, op.Pos
		sc.define(p.textReader, v)
	}
	op.Out = outs
	r.Ops = append(r.Ops, op)
}

// typeLiterals gives literals the dtype of the other operands, else that of the result.
func typeLiterals(op *Op, outs []*Value) {
	d := Invalid
	if len(outs) > 0 {
		d = outs[0].Type.DType
	}
	if op.Row.Name == "rng_bits" {
		d = U32
	}
	for i, v := range op.In {
		if v.Lit == nil && !(op.Row.Name == "select" && i == 0) {
			d = v.Type.DType
			break
		}
	}
	for i, v := range op.In {
		if v.Lit != nil && v.Type.DType == Invalid {
			of := d
			if op.Row.Name == "select" && i == 0 {
				of = Bool
			}
			op.In[i] = Literal(of, *v.Lit)
		}
	}
}
