package stablehlo

import (
	"fmt"
	"strings"

	"vitc/ir"
)

// How devices hold tensors, in the sdy dialect, which names the axes of a mesh as the IR does.

// mesh is the module's declaration of its devices, numbered row-major.
func (e *emitter) mesh() string {
	if !e.meshed() {
		return ""
	}
	axes := make([]string, len(e.o.Mesh))
	for i, a := range e.o.Mesh {
		axes[i] = fmt.Sprintf("%q=%d", a.Name, a.Size)
	}
	return fmt.Sprintf("  sdy.mesh @mesh = <[%s]> loc(unknown)\n", strings.Join(axes, ", "))
}

// meshed reports whether the module is for several devices.
func (e *emitter) meshed() bool { return e.o.Mode != Single }

// placed is the sharding of a value of some rank, without its name: <@mesh, [{"data"}, {}]>.
func placed(s *ir.Sharding, rank int) string {
	dims := make([]string, rank)
	for i := range dims {
		dims[i] = "{" + quoted(s.Of(i)) + "}"
	}
	return "<@mesh, [" + strings.Join(dims, ", ") + "]>"
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(q, ", ")
}

// port is an argument or a result of @main on a mesh: its sharding and its type there.
type port struct {
	shard *ir.Sharding
	outer tensor // of @main
	own   tensor // as the IR has it: of one device, in mode Manual
}

// port checks that a value that comes in or goes out means something without the mesh.
func (e *emitter) port(name string, v *ir.Value, given []*ir.Sharding, i int) port {
	p := port{shard: v.Type.Shard, own: typeOf(v.Type)}
	if given != nil {
		p.shard = given[i]
	}
	p.outer = p.own
	refuse := func(format string, args ...any) { panic(&Error{name, v.Pos, fmt.Errorf(format, args...)}) }
	switch {
	case elems[v.Type.DType] == "":
		refuse("dtype %s has no StableHLO: the pass precision comes first", v.Type.DType)
	case !e.meshed():
		return p
	case len(p.shard.Sums())+len(p.shard.Varies()) > 0:
		refuse("%s has no meaning outside the mesh", v.Type)
	}
	for _, axis := range p.shard.Axes() {
		if e.o.Mesh.Axis(axis) < 0 {
			refuse("%s is sharded over %s, which the mesh %s lacks", v.Type, axis, e.o.Mesh)
		}
	}
	for d, n := range p.own.shape {
		if cut := e.o.Mesh.Size(p.shard.Of(d)...); e.o.Mode == Annotated && n%cut != 0 {
			refuse("%d %s over %d devices: XLA's partitioner takes and gives even pieces only", n, v.Type.Dims[d].Label, cut)
		}
	}
	if e.o.Mode == Manual {
		for d, n := range p.own.shape {
			p.outer.shape = with(p.outer.shape, d, n*e.o.Mesh.Size(p.shard.Of(d)...))
		}
	}
	return p
}

// attribute is the port's sharding as an attribute, "" on one device.
func (e *emitter) attribute(p port) string {
	if !e.meshed() {
		return ""
	}
	return "sdy.sharding = #sdy.sharding" + placed(p.shard, len(p.own.shape))
}

// reshard asks XLA's partitioner for a sharding.
func reshard(e *emitter, op *ir.Op) []value {
	x, s := e.of(op.In[0]), op.Out[0].Type.Shard
	switch e.o.Mode {
	case Single:
		return []value{x}
	case Manual:
		failf(op, "the pass partition makes collectives of it first")
	}
	return []value{e.op(x.tensor, "sdy.sharding_constraint %s %s : %s", x.id, placed(s, len(x.shape)), x.tensor)}
}
