package driver

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// Part is one instance of a module with all that is in it, or all turns of a repeated one.
type Part struct {
	Path       string   `json:"path"`             // net.encoder.block
	Repeat     int      `json:"repeat,omitempty"` // turns of its loop
	Result     string   `json:"result,omitempty"` // of an example: [seq:256, width:6144]
	Parameters int      `json:"parameters"`
	InProducts int      `json:"parameters_in_products"` // those that products multiply by
	Bytes      int      `json:"bytes"`
	Share      float64  `json:"share"`         // of all parameters
	Flops      float64  `json:"flops_forward"` // an example
	Tensors    []Tensor `json:"tensors,omitempty"`

	flops float64 // of a batch
	last  int     // the op of the forward pass that ends it
}

// Tensor is a parameter or state that a part itself holds.
type Tensor struct {
	Name  string `json:"name"`
	Type  string `json:"type"` // f32[width:16]
	Size  int    `json:"size"`
	Bytes int    `json:"bytes"`
}

// Depth is how many parts a part stands in.
func (p *Part) Depth() int { return strings.Count(p.Path, ".") }

// Name is the last part of the path.
func (p *Part) Name() string { return p.Path[strings.LastIndexByte(p.Path, '.')+1:] }

// measuring collects parts by path.
type measuring struct {
	parts map[string]*Part
	list  []*Part // in order of appearance
	roots map[string]bool
	count int // ops visited
}

// partsOf lists the parts of a program's models, each before those in it, in the order in
// which the forward pass is done with them.
func partsOf(p *ir.Program, r *ir.Region, pass map[*ir.Op]bool, batch int) []*Part {
	m := &measuring{parts: map[string]*Part{}, roots: map[string]bool{}}
	inProducts := multiplied(r)
	total := 0
	for _, leaf := range p.State {
		if leaf.Kind != ir.LeafParam && leaf.Kind != ir.LeafModel {
			continue
		}
		m.leaf(leaf, inProducts[leaf.Name])
		if leaf.Kind == ir.LeafParam {
			total += leaf.Type.Size()
		}
	}
	m.region(r, 1, func(op *ir.Op) bool { return pass[op] })
	for _, part := range m.list {
		part.Flops = math.Round(part.flops / float64(batch))
		part.Share = float64(part.Parameters) / float64(max(total, 1))
	}
	return m.sorted()
}

// multiplied names the leaves that products multiply by: themselves, or what is computed from
// one of them and nothing else, such as its bf16 form.
func multiplied(r *ir.Region) map[string]bool {
	found := map[string]bool{}
	from := map[*ir.Value]string{}
	for _, p := range r.Params {
		from[p] = p.Name
	}
	followLeaves(r, from, found)
	return found
}

// followLeaves adds to found; from says which leaf's alone a value is.
func followLeaves(r *ir.Region, from map[*ir.Value]string, found map[string]bool) {
	for _, op := range r.Ops {
		switch {
		case op.Body != nil:
			for i, p := range op.Body.Params {
				from[p] = from[op.In[i]]
			}
			followLeaves(op.Body, from, found)
		case op.ProductFlops() > 0:
			for _, in := range op.In {
				found[from[in]] = true
			}
		default:
			for _, out := range op.Out {
				from[out] = onlyLeaf(op.In, from)
			}
		}
	}
}

// onlyLeaf is the leaf that all operands come from, "" where they come from several or from
// anything else.
func onlyLeaf(operands []*ir.Value, from map[*ir.Value]string) string {
	leaf := ""
	for _, in := range operands {
		if in.Lit != nil {
			continue
		}
		if from[in] == "" || leaf != "" && from[in] != leaf {
			return ""
		}
		leaf = from[in]
	}
	return leaf
}

// part finds or makes the part of a path and those around it; nil for what is in no model.
func (m *measuring) part(path string) *Part {
	if root, _, _ := strings.Cut(path, "."); !m.roots[root] {
		return nil
	}
	if m.parts[path] == nil {
		if i := strings.LastIndexByte(path, '.'); i > 0 {
			m.part(path[:i])
		}
		m.parts[path] = &Part{Path: path, last: math.MaxInt}
		m.list = append(m.list, m.parts[path])
	}
	return m.parts[path]
}

// around visits a path's part and those it stands in.
func (m *measuring) around(path string, visit func(*Part)) {
	for part := m.part(path); part != nil; part = m.part(path) {
		visit(part)
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
}

func (m *measuring) leaf(leaf ir.Leaf, inProducts bool) {
	path, name := "", leaf.Name
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		path, name = name[:i], name[i+1:]
	}
	root, _, _ := strings.Cut(path, ".")
	m.roots[root] = true
	own := m.part(path)
	own.Tensors = append(own.Tensors, Tensor{name, leaf.Type.String(), leaf.Type.Size(), leaf.Type.Bytes()})
	if leaf.Kind != ir.LeafParam {
		return
	}
	m.around(path, func(p *Part) {
		p.Parameters += leaf.Type.Size()
		p.Bytes += leaf.Type.Bytes()
		if inProducts {
			p.InProducts += leaf.Type.Size()
		}
	})
}

// region visits the ops of the forward pass: each counts for the part that computes it, and
// ends it until a later one does.
func (m *measuring) region(r *ir.Region, times float64, in func(*ir.Op) bool) {
	for _, op := range r.Ops {
		if !in(op) || op.Pos == nil {
			continue
		}
		m.count++
		flops := times * op.ProductFlops()
		m.around(op.Pos.Path, func(p *Part) {
			p.flops += flops
			if len(op.Out) > 0 {
				p.last, p.Result = m.count, ofExample(op.Out[0].Type)
			}
		})
		if op.Body == nil {
			continue
		}
		m.repeated(op.Pos, op.Body, op.Turns())
		m.region(op.Body, times*float64(op.Turns()), func(*ir.Op) bool { return true })
	}
}

// repeated marks the part that a loop's turns are of: one level inside the part that the loop
// stands in.
func (m *measuring) repeated(at *diag.Loc, body *ir.Region, turns int) {
	for _, op := range body.Ops {
		if op.Pos == nil {
			continue
		}
		rest, ok := strings.CutPrefix(op.Pos.Path, at.Path+".")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, ".")
		if p := m.part(at.Path + "." + name); p != nil {
			p.Repeat = turns
		}
		return
	}
}

// ofExample prints a type's axes without the batch.
func ofExample(t ir.Type) string {
	t.Dims = slices.DeleteFunc(slices.Clone(t.Dims), func(d ir.Dim) bool { return d.Label == "batch" })
	return strings.TrimPrefix(t.String(), t.DType.String())
}

// sorted lists the parts, each before those in it.
func (m *measuring) sorted() []*Part {
	inside := map[string][]*Part{}
	for _, p := range m.list {
		outer := p.Path[:max(strings.LastIndexByte(p.Path, '.'), 0)]
		inside[outer] = append(inside[outer], p)
	}
	var out []*Part
	var add func(path string)
	add = func(path string) {
		slices.SortStableFunc(inside[path], func(a, b *Part) int { return cmp.Compare(a.last, b.last) })
		for _, p := range inside[path] {
			out = append(out, p)
			add(p.Path)
		}
	}
	add("")
	return out
}
