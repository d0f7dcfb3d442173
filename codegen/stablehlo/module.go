package stablehlo

import (
	"bytes"
	"fmt"
	"strings"

	"vitc/ir"
)

// module writes the whole module. In mode Manual the function is the body of a
// sdy.manual_computation, the program of one device inside one of all: @main's own types are of
// whole tensors, as in the other modes.
func (e *emitter) module() []byte {
	args, out := e.ports()
	params := make([]value, len(args))
	for i, p := range args {
		params[i] = value{fmt.Sprintf("%%arg%d", i), p.outer}
	}
	results := e.main(params, args, out)
	e.linef("return %s : %s loc(unknown)", names(results), types(results))

	declared := e.params(params, args) // before the locations are written: arguments have some
	var b bytes.Buffer
	b.Write(e.locs.text.Bytes())
	b.Write(e.listed.Bytes())
	fmt.Fprintf(&b, "module @%s%s {\n%s  func.func public @main(\n      ", symbol(e.f.Name), e.partitions(), e.mesh())
	b.WriteString(strings.Join(declared, ",\n      "))
	fmt.Fprintf(&b, ") -> (%s) {\n", strings.Join(e.resultTypes(results, out), ",\n      "))
	b.Write(e.text.Bytes())
	b.WriteString("  } loc(unknown)\n")
	b.WriteString(strings.Join(e.helpers, ""))
	b.WriteString("} loc(unknown)\n")
	return b.Bytes()
}

// ports are what the function takes and gives.
func (e *emitter) ports() (args, out []port) {
	for i, v := range e.f.Body.Params {
		args = append(args, e.port("argument "+e.f.Args[i].Name, v, e.o.Args, i))
	}
	for i, v := range e.f.Body.Yield {
		out = append(out, e.port("result "+e.f.Results[i].Name, v, e.o.Results, i))
	}
	return args, out
}

// main writes the body of @main and gives its results.
func (e *emitter) main(params []value, args, out []port) []value {
	if e.o.Mode != Manual {
		e.region(e.f.Body, params)
		return e.all(e.f.Body.Yield)
	}
	id := e.fresh()
	own := make([]value, len(args))
	binds, in := make([]string, len(args)), make([]string, len(args))
	for i, p := range args {
		own[i] = value{e.fresh(), p.own}
		binds[i], in[i] = own[i].id+": "+p.own.String(), placed(p.shard, len(p.own.shape))
	}
	outer, give := make([]tensor, len(out)), make([]string, len(out))
	for i, p := range out {
		outer[i], give[i] = p.outer, placed(p.shard, len(p.own.shape))
	}
	e.linef("%s:%d = sdy.manual_computation(%s) in_shardings=[%s] out_shardings=[%s] manual_axes={%s} (%s) {", id, len(out),
		names(params), strings.Join(in, ", "), strings.Join(give, ", "), e.axisNames(), strings.Join(binds, ", "))
	e.inner(func() {
		e.region(e.f.Body, own)
		r := e.all(e.f.Body.Yield)
		e.linef("sdy.return %s : %s loc(unknown)", names(r), types(r))
	})
	rs := results(id, outer)
	e.linef("} : (%s) -> (%s) loc(unknown)", types(params), types(rs))
	return rs
}

func (e *emitter) axisNames() string {
	axes := make([]string, len(e.o.Mesh))
	for i, a := range e.o.Mesh {
		axes[i] = a.Name
	}
	return quoted(axes)
}

// partitions is the attribute that says how many devices the module is for.
func (e *emitter) partitions() string {
	if !e.meshed() {
		return ""
	}
	return fmt.Sprintf(" attributes {mhlo.num_partitions = %d : i32, mhlo.num_replicas = 1 : i32}", e.o.Mesh.Devices())
}

// params declares the arguments, with their names as locations: the compiler calls buffers so.
func (e *emitter) params(params []value, args []port) []string {
	lent := e.lent()
	out := make([]string, len(params))
	for i, p := range params {
		at := e.locs.port(e.f.Args[i].Name, e.f.Body.Params[i].Pos)
		out[i] = fmt.Sprintf("%s: %s%s loc(%s)", p.id, p.tensor, attributes(lent[i], e.attribute(args[i])), at)
	}
	return out
}

func (e *emitter) resultTypes(results []value, ports []port) []string {
	out := make([]string, len(results))
	for i, v := range results {
		out[i] = v.tensor.String() + attributes(e.attribute(ports[i]))
	}
	return out
}

// attributes writes the attributes of an argument or a result that are there.
func attributes(as ...string) string {
	var there []string
	for _, a := range as {
		if a != "" {
			there = append(there, a)
		}
	}
	if len(there) == 0 {
		return ""
	}
	return " {" + strings.Join(there, ", ") + "}"
}

// lent says of every state argument that a result replaces that this result takes its buffer.
func (e *emitter) lent() []string {
	at := map[string]int{}
	for i, r := range e.f.Results {
		if r.Role == ir.RoleState {
			at[r.Name] = i
		}
	}
	out := make([]string, len(e.f.Args))
	for i, a := range e.f.Args {
		if k, ok := at[a.Name]; ok && a.Role == ir.RoleState {
			out[i] = fmt.Sprintf("tf.aliasing_output = %d : i32", k)
		}
	}
	return out
}

// symbol is a name with what may not stand in one replaced.
func symbol(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '$':
			return r
		}
		return '_'
	}, name)
}
