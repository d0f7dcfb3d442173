package ir

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"vitc/ir/diag"
)

// PrintOptions choose what the text shows beside the program itself.
type PrintOptions struct {
	Locs bool // where each op came from
}

// Print writes the module as text that Parse reads back.
func Print(w io.Writer, m *Module, o PrintOptions) error {
	p := &printer{o: o}
	fmt.Fprintf(&p.b, "ir %s%s\n", m.Phase, m.Mesh.text())
	for _, f := range m.Funcs {
		p.b.WriteByte('\n')
		p.function(f)
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// String prints the module without locations.
func (m *Module) String() string {
	var b strings.Builder
	if err := Print(&b, m, PrintOptions{}); err != nil {
		return err.Error()
	}
	return b.String()
}

type printer struct {
	b     strings.Builder
	o     PrintOptions
	names map[*Value]string
	taken map[string]int
	next  int
}

// name gives each value of a function a name of its own: its hint, made unique, or a number.
func (p *printer) name(v *Value) string {
	if v.Lit != nil {
		return formatLit(v)
	}
	if n, ok := p.names[v]; ok {
		return n
	}
	base := v.Name
	if base == "" {
		base = strconv.Itoa(p.next)
		p.next++
	}
	n := base
	for p.taken[n] > 0 {
		p.taken[base]++
		n = base + "." + strconv.Itoa(p.taken[base])
	}
	p.taken[n]++
	p.names[v] = "%" + n
	return "%" + n
}

// formatLit prints a literal with as many digits as its dtype needs to be read back.
func formatLit(v *Value) string {
	bits := 64
	if v.Type.DType.Float() {
		bits = 32
	}
	return strconv.FormatFloat(*v.Lit, 'g', -1, bits)
}

func (p *printer) function(f *Func) {
	p.names, p.taken, p.next = map[*Value]string{}, map[string]int{}, 0
	fmt.Fprintf(&p.b, "func @%s(", f.Name)
	for i, v := range f.Body.Params {
		if i > 0 {
			p.b.WriteString(",")
		}
		fmt.Fprintf(&p.b, "\n    %s: %s %s=%q%s", p.name(v), v.Type, f.Args[i].Role, f.Args[i].Name, mem(v))
	}
	p.b.WriteString(") -> (")
	for i, v := range f.Body.Yield {
		if i > 0 {
			p.b.WriteString(",")
		}
		fmt.Fprintf(&p.b, "\n    %s %s=%q", v.Type, f.Results[i].Role, f.Results[i].Name)
	}
	p.b.WriteString(")")
	if f.Precision != Invalid {
		fmt.Fprintf(&p.b, " precision=%s", f.Precision)
	}
	if f.Arena != 0 {
		fmt.Fprintf(&p.b, " arena=%d", f.Arena)
	}
	p.region(f.Body, "")
	p.b.WriteByte('\n')
}

func mem(v *Value) string {
	if v.Mem == nil {
		return ""
	}
	steps := ""
	if len(v.Mem.Steps) > 0 {
		steps = fmt.Sprintf(", (%s)", joinInts(v.Mem.Steps))
	}
	return fmt.Sprintf(" mem(%s, %d, %d%s)", v.Mem.Space, v.Mem.Offset, v.Mem.Bytes, steps)
}

func (p *printer) region(r *Region, indent string) {
	p.b.WriteString(" {\n")
	for _, op := range r.Ops {
		p.op(op, indent+"  ")
	}
	p.b.WriteString(indent + "  yield")
	p.list(r.Yield)
	if len(r.Stack) > 0 {
		p.b.WriteString(" stack(")
		for i, v := range r.Stack {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.b.WriteString(p.name(v))
		}
		p.b.WriteString(")")
	}
	p.b.WriteString("\n" + indent + "}")
}

func (p *printer) list(vs []*Value) {
	for i, v := range vs {
		if i > 0 {
			p.b.WriteString(",")
		}
		p.b.WriteString(" " + p.name(v))
	}
}

func (p *printer) op(op *Op, indent string) {
	p.b.WriteString(indent)
	for i, v := range op.Out {
		if i > 0 {
			p.b.WriteString(", ")
		}
		fmt.Fprintf(&p.b, "%s: %s%s", p.name(v), v.Type, mem(v))
	}
	if len(op.Out) > 0 {
		p.b.WriteString(" = ")
	}
	p.b.WriteString(op.Row.Name)
	switch {
	case op.Body != nil:
		p.b.WriteString(printAttrs(op.Attrs))
		p.binds(op)
		p.region(op.Body, indent)
	default:
		p.list(op.In)
		if op.Row.Carries {
			p.b.WriteString(" " + op.Rule.String())
		}
		p.b.WriteString(printAttrs(op.Attrs))
	}
	p.loc(op.Pos)
	p.b.WriteByte('\n')
}

// binds prints a region's operands in groups: carry(...) each(...) const(...), or in(...).
func (p *printer) binds(op *Op) {
	for _, g := range bindGroups(op) {
		if g.from == g.to {
			continue
		}
		fmt.Fprintf(&p.b, " %s(", g.name)
		for i := g.from; i < g.to; i++ {
			if i > g.from {
				p.b.WriteString(", ")
			}
			outer := p.name(op.In[i])
			fmt.Fprintf(&p.b, "%s=%s%s", p.name(op.Body.Params[i]), outer, mem(op.Body.Params[i]))
		}
		p.b.WriteString(")")
	}
}

type bindGroup struct {
	name     string
	from, to int
}

func bindGroups(op *Op) []bindGroup {
	if a, ok := op.Attrs.(*ScanAttrs); ok {
		return []bindGroup{{"carry", 0, a.Carry}, {"each", a.Carry, a.Carry + a.Each}, {"const", a.Carry + a.Each, len(op.In)}}
	}
	return []bindGroup{{"in", 0, len(op.In)}}
}

func (p *printer) loc(l *diag.Loc) {
	if !p.o.Locs || l == nil {
		return
	}
	p.b.WriteString(" loc(")
	for at := l; at != nil; at = at.From {
		if at != l {
			p.b.WriteString(" < ")
		}
		fmt.Fprintf(&p.b, "%q:%d:%d", at.File, at.Line, at.Col)
	}
	fmt.Fprintf(&p.b, "; %q)", l.Path)
}
