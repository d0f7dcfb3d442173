package lang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/topology"
)

// planner is a plan block, elaborated against the program that it is for.
type planner struct {
	*block
	prog   *ir.Program
	train  *Config
	plan   ir.Plan
	meshAt map[string]diag.Pos // where the mesh gives each axis its size
}

// plans elaborates the plan blocks of a train. Only those that the options ask for have to be
// right; of others, what is wrong is left to Check.
func (c *checker) plans(p *ir.Program, t *trainer, o Options) {
	for _, decl := range c.unit.configs(Plan) {
		if decl.Target == nil || decl.Target.String() != t.decl.Name.Name {
			continue
		}
		before := c.list
		if plan, ok := c.planOf(decl, p, t); ok {
			p.Plans = append(p.Plans, plan)
		}
		if !o.allPlans && decl.Name.Name != o.Plan {
			c.list = before
		}
	}
}

// Plans returns the names of the plan blocks for a train block, in the file's order.
func (u *Unit) Plans(train string) []string {
	var out []string
	for _, c := range u.configs(Plan) {
		if c.Target != nil && c.Target.String() == train {
			out = append(out, c.Name.Name)
		}
	}
	return out
}

// planTarget checks that a plan is for a train block of the file.
func (c *checker) planTarget(d *Config) {
	trains := c.unit.Trains()
	if d.Link != "for" || d.Target == nil {
		c.report(&diag.Diagnostic{Code: codeTarget, Pos: d.Name.At, Msg: fmt.Sprintf("`%s` is for no train", d.Name.Name), Fix: fmt.Sprintf("plan %s for %s { ... }", d.Name.Name, firstOf(trains))})
		return
	}
	if x, ok := c.unit.root.decls[d.Target.String()].(*Config); ok && x.Kind == Train {
		return
	}
	bad := &diag.Diagnostic{Code: codeTarget, Pos: d.Target.At, Msg: fmt.Sprintf("there is no train `%s` in this file", d.Target), Fix: diag.Nearest(d.Target.String(), trains)}
	if len(trains) > 0 {
		bad.Expected = oneOf(trains)
	}
	c.report(bad)
}

// planOf elaborates a plan block; false after errors.
func (c *checker) planOf(decl *Config, p *ir.Program, t *trainer) (ir.Plan, bool) {
	if decl.Params != nil {
		c.report(&diag.Diagnostic{Code: codeSetting, Pos: decl.Params.At, Msg: "a plan block has no parameters", Fix: "those of its train"})
		return ir.Plan{}, false
	}
	around := &env{vars: t.inst.env.vars, parent: c.fileEnv(c.unit.root)}
	f := &frame{c: c, env: around.child(), store: &store{role: ir.LeafModel}, noMake: true}
	b, ok := f.newBlock(decl, nil, "ring", "none")
	if !ok {
		return ir.Plan{}, false
	}
	x := &planner{block: b, prog: p, train: t.decl, meshAt: map[string]diag.Pos{}}
	x.plan = ir.Plan{Name: decl.Name.Name, Pos: decl.At}
	for _, read := range []func() bool{x.readMicro, x.readOverlap, x.readReserve, x.readRemat} {
		ok = read() && ok
	}
	if !x.readDevices() || !x.readMesh() || !x.readShard() {
		return x.plan, false
	}
	for _, check := range []func() bool{x.checkShard, x.checkBatch, x.checkRemat} {
		ok = check() && ok
	}
	return x.plan, ok
}

// report adds a diagnostic of the plan; it returns false, as what reports fails.
func (x *planner) report(d *diag.Diagnostic) bool {
	x.f.report(d)
	return false
}

// readDevices reads `devices: tpu.v4(8, 8, 16)` or `devices: cpu(8)`.
func (x *planner) readDevices() bool {
	s := x.settings["devices"]
	if s == nil {
		x.missing("devices", "devices: tpu.v4(8, 8, 16), or cpu(8)")
		return false
	}
	call, ok := s.Value.(*Call)
	if !ok {
		return x.badDevices(s)
	}
	d := ir.Devices{Pos: s.Value.Pos()}
	if d.Platform, d.Chip = deviceName(call.Fn); d.Platform == "" {
		return x.badDevices(s)
	}
	for _, a := range call.Args {
		n, ok := 0, a.Name == nil && !a.Spread
		if ok {
			n, ok = integer(x.f.eval(a.Value))
		}
		if !ok {
			return x.report(&diag.Diagnostic{Code: codeValue, Pos: a.At, Msg: "a size of the torus is a whole number", Fix: "tpu.v4(8, 8, 16)"})
		}
		d.Shape = append(d.Shape, n)
	}
	t, err := topology.Of(d)
	if err != nil {
		bad := *err.(*diag.Diagnostic)
		bad.Pos = d.Pos
		bad.Expected, bad.Fix = inLanguage(bad.Expected), inLanguage(bad.Fix)
		return x.report(&bad)
	}
	x.plan.Devices = d
	x.plan.Devices.Shape = t.Shape
	return true
}

// deviceName reads tpu.v4 or cpu; the platform is "" where it is neither form.
func deviceName(e Expr) (platform, chip string) {
	switch e := e.(type) {
	case *Name:
		return e.Name, ""
	case *Field:
		if n, ok := e.X.(*Name); ok {
			return n.Name, e.Name.Name
		}
	}
	return "", ""
}

func (x *planner) badDevices(s *Setting) bool {
	return x.report(&diag.Diagnostic{Code: codeValue, Pos: s.Value.Pos(), Msg: "`devices` says what the plan is made for", Expected: "chips in a torus, such as tpu.v4(8, 8, 16), or virtual devices, cpu(8)"})
}

// inLanguage writes the names of topologies in a message as the language does:
// tpu:v4:4x4x4 is tpu.v4(4, 4, 4).
func inLanguage(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		if t, err := topology.Parse(w); err == nil {
			sizes := strings.ReplaceAll(topology.Sizes(t.Shape), "x", ", ")
			words[i] = "tpu." + t.Chip.Name + "(" + sizes + ")"
			if t.Chip.Platform == "cpu" {
				words[i] = "cpu(" + sizes + ")"
			}
		}
	}
	return strings.Join(words, " ")
}

// readMesh reads `mesh: (data: 64, model: 16)`, whose product is the number of devices.
func (x *planner) readMesh() bool {
	s := x.settings["mesh"]
	if s == nil {
		x.missing("mesh", fmt.Sprintf("mesh: (data: %d)", x.deviceCount()))
		return false
	}
	before := len(x.f.c.list)
	v := x.value("mesh")
	r, ok := v.(*record)
	if len(x.f.c.list) > before {
		return false
	}
	if !ok {
		x.bad("mesh", "named sizes, such as (data: 64, model: 16)", v)
		return false
	}
	if e, ok := s.Value.(*Tuple); ok {
		for _, a := range e.Args {
			if a.Name != nil {
				x.meshAt[a.Name.Name] = a.At
			}
		}
	}
	for _, name := range r.names {
		n, ok := integer(r.vals[name])
		if !ok || n < 1 {
			return x.report(&diag.Diagnostic{Code: codeValue, Pos: x.meshPos(name), Msg: fmt.Sprintf("the mesh axis `%s` cannot be %s", name, describeValue(r.vals[name])), Expected: "a whole number of devices, at least 1"})
		}
		x.plan.Mesh = append(x.plan.Mesh, ir.MeshAxis{Name: name, Size: n})
	}
	return x.meshFits()
}

// maxMeshAxes bounds the search for a mesh's place on a torus.
const maxMeshAxes = 6

func (x *planner) meshFits() bool {
	at := x.settings["mesh"].Value.Pos()
	if len(x.plan.Mesh) > maxMeshAxes {
		return x.report(&diag.Diagnostic{Code: topology.CodeMesh, Pos: at, Msg: fmt.Sprintf("a mesh of %d axes", len(x.plan.Mesh)), Expected: fmt.Sprintf("at most %d", maxMeshAxes)})
	}
	have, want := x.plan.Mesh.Devices(), x.deviceCount()
	if have == want {
		return true
	}
	d := &diag.Diagnostic{Code: topology.CodeMesh, Pos: at, Msg: fmt.Sprintf("a mesh of %d devices, where there are %d", have, want),
		Expected: fmt.Sprintf("sizes whose product is %d", want), Notes: []diag.Note{{Pos: x.plan.Devices.Pos, Text: fmt.Sprintf("%d devices", want)}}}
	for i, a := range x.plan.Mesh {
		if rest := have / a.Size; want%rest == 0 {
			m := slices.Clone(x.plan.Mesh)
			m[i].Size = want / rest
			d.Fix = "mesh: " + m.String()
			break
		}
	}
	return x.report(d)
}

// deviceCount is the number of the plan's devices.
func (x *planner) deviceCount() int {
	t, err := topology.Of(x.plan.Devices)
	if err != nil { // readDevices has checked them
		panic(err)
	}
	return t.Devices()
}

// meshPos is where a mesh axis gets its size.
func (x *planner) meshPos(name string) diag.Pos {
	if at, ok := x.meshAt[name]; ok {
		return at
	}
	return x.settings["mesh"].Value.Pos()
}

func (x *planner) readMicro() bool {
	n, ok := x.count("micro", 1)
	x.plan.Micro = max(n, 1)
	return ok
}

func (x *planner) readOverlap() bool {
	v := x.value("overlap")
	if v == nil {
		v = symbol(ir.OverlapNone)
	}
	s, ok := v.(symbol)
	if !ok {
		x.bad("overlap", "none or ring", v)
		return false
	}
	x.plan.Overlap = ir.OverlapKind(s)
	return true
}

// readReserve reads the fraction of memory that is to stay free.
func (x *planner) readReserve() bool {
	x.plan.Reserve = ir.DefaultReserve
	v := x.value("reserve")
	if v == nil {
		return true
	}
	n, ok := numeric(v)
	if !ok || n.v < 0 || n.v >= 1 {
		x.bad("reserve", "a fraction of a device's memory, such as "+strconv.FormatFloat(ir.DefaultReserve, 'g', -1, 64), v)
		return false
	}
	x.plan.Reserve = n.v
	return true
}
