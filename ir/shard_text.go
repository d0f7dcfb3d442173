package ir

import (
	"fmt"
	"slices"
	"strings"
)

// The text of meshes and shardings: mesh(data:4, model:2) and {batch@data, width@(x, y), +model,
// ?data}.

// text prints a mesh with a blank before it, nothing for an empty one.
func (m Mesh) text() string {
	if len(m) == 0 {
		return ""
	}
	parts := make([]string, len(m))
	for i, a := range m {
		parts[i] = fmt.Sprintf("%s:%d", a.Name, a.Size)
	}
	return " mesh(" + strings.Join(parts, ", ") + ")"
}

func parseMesh(r *textReader) Mesh {
	if !r.word("mesh") {
		return nil
	}
	r.next()
	r.expect('(')
	var m Mesh
	for !r.accept(')') {
		a := MeshAxis{Name: r.expect('w')}
		if m.Axis(a.Name) >= 0 {
			r.fail("two mesh axes %s", a.Name)
		}
		r.expect(':')
		if a.Size = r.integer(); a.Size < 1 || m.Devices() > maxDevices/a.Size {
			r.fail("a mesh axis of %d", a.Size)
		}
		if m = append(m, a); !r.at(')') {
			r.expect(',')
		}
	}
	return m
}

// maxDevices bounds meshes: their sizes are multiplied freely.
const maxDevices = 1 << 24

// shardText prints the sharding as the text form has it: {batch@data, +model}. A label that is
// not the only one of its name is replaced by the number of its dim: #0@data.
func (t Type) shardText() string {
	if t.Shard == nil {
		return ""
	}
	var parts []string
	for i := range t.Dims {
		if axes := t.Shard.Of(i); len(axes) > 0 {
			parts = append(parts, t.dimName(i)+"@"+axesText(axes))
		}
	}
	for _, a := range t.Shard.Sum {
		parts = append(parts, "+"+a)
	}
	for _, a := range t.Shard.Vary {
		parts = append(parts, "?"+a)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// dimName is the dim's label, or its number where the label is not its own.
func (t Type) dimName(dim int) string {
	for i, d := range t.Dims {
		if i != dim && d.Label == t.Dims[dim].Label {
			return fmt.Sprintf("#%d", dim)
		}
	}
	return t.Dims[dim].Label
}

func axesText(axes []string) string {
	if len(axes) == 1 {
		return axes[0]
	}
	return "(" + strings.Join(axes, ", ") + ")"
}

// sharding reads what shardText prints, nil where no { stands.
func (p *funcReader) sharding(t Type) *Sharding {
	if !p.accept('{') {
		return nil
	}
	dims, sum, vary := make([][]string, t.Rank()), []string(nil), []string(nil)
	for !p.accept('}') {
		switch {
		case p.accept('+'):
			sum = append(sum, p.expect('w'))
		case p.accept('?'):
			vary = append(vary, p.expect('w'))
		default:
			dim := p.dim(t)
			if dims[dim] != nil {
				p.fail("dim %d of %s is sharded twice", dim, t)
			}
			dims[dim] = p.axes()
		}
		p.comma('}')
	}
	s := NewSharding(dims, sum, vary)
	if s == nil {
		p.fail("a sharding without axes")
	}
	axes := s.Axes()
	slices.Sort(axes)
	if unique := slices.Compact(slices.Clone(axes)); len(unique) < len(axes) {
		p.fail("a mesh axis stands twice in the sharding of %s", t.Sharded(s))
	}
	return s
}

// dim reads a dim by its label, or by its number after #.
func (p *funcReader) dim(t Type) int {
	if p.accept('#') {
		i := p.integer()
		if i < 0 || i >= t.Rank() {
			p.fail("%s has no dim %d", t, i)
		}
		return i
	}
	label := p.tok.text
	for i, d := range t.Dims {
		if d.Label == label && p.at('w') {
			if t.dimName(i) != label {
				p.fail("%s has several dims %s: name them by number, #%d", t, label, i)
			}
			p.next()
			return i
		}
	}
	p.fail("%s has no dim %s", t, p.tok)
	return 0
}

// axes reads @axis or @(major, minor).
func (p *funcReader) axes() []string {
	if p.at('@') && p.tok.text != "" {
		return []string{p.expect('@')}
	}
	p.expect('@')
	p.expect('(')
	var axes []string
	for !p.accept(')') {
		axes = append(axes, p.expect('w'))
		p.comma(')')
	}
	return axes
}
