package lang

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/diag"
)

// Forward builds the program of a model alone: one function,
//
//	forward(state.., inputs..) -> output
//
// which applies it, as evaluations do, to a batch of one, or to the options' batch. The options'
// parameters complete the model's arguments. Nothing is trained, and the program has no init.
func Forward(u *Unit, model string, o Options) (*ir.Program, diag.List) {
	c := newChecker(u)
	var p *ir.Program
	c.guard(func() {
		if decl, ok := c.findModel(model); ok {
			p = c.forward(decl, o)
		}
	})
	if c.list.Errors() > 0 {
		return nil, c.list.Sorted()
	}
	return p, c.list.Sorted()
}

func (c *checker) findModel(name string) (*Model, bool) {
	if d, ok := c.unit.root.decls[name].(*Model); ok {
		return d, true
	}
	models := c.unit.Models()
	d := &diag.Diagnostic{Code: codeTarget, Msg: fmt.Sprintf("%s has no model `%s`", c.unit.root.name, name), Fix: diag.Nearest(name, models)}
	if len(models) > 0 {
		d.Expected = oneOf(models)
	}
	c.report(d)
	return nil, false
}

// modelInstance instantiates a model, whose arguments the options' parameters complete.
func (c *checker) modelInstance(decl *Model, o Options) (*instance, *frame, bool) {
	mv, before, ok := c.recipeOfModel(decl)
	if !ok {
		return nil, nil, false
	}
	f := c.modelFrame(decl)
	given, ok := f.overrides(decl.Name, o.Params)
	if !ok {
		return nil, nil, false
	}
	args := f.bind(f.signatureOf(mv), given, before)
	if args == nil || !f.complete(args, decl.Name.At) {
		return nil, nil, false
	}
	inst, ok := f.instantiate(mv, args, decl.Value.Pos()).(*instance)
	return inst, f, ok
}

func (c *checker) forward(decl *Model, o Options) *ir.Program {
	inst, f, ok := c.modelInstance(decl, o)
	if !ok {
		return nil
	}
	fn, ok := f.applied(inst, decl, max(o.Batch, 1))
	if !ok {
		return nil
	}
	p := &ir.Program{Name: decl.Name.Name, Module: &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{fn}}, Sources: c.unit.Hashes()}
	for _, l := range f.store.leaves {
		p.State = append(p.State, ir.Leaf{Name: l.path, Kind: l.role, Type: l.typ(), Pos: l.at})
	}
	return p
}

// applied lowers a call of the instance with arguments of the types that it declares.
func (f *frame) applied(inst *instance, decl *Model, batch int) (*ir.Func, bool) {
	if inst.call == nil {
		f.report(&diag.Diagnostic{Code: codeCall, Pos: decl.Name.At, Msg: fmt.Sprintf("`%s` has no `fn` to apply", decl.Name.Name), Fix: "a train block that uses it"})
		return nil, false
	}
	w := newLowering("forward")
	given := map[*cell]*ir.Value{}
	for _, l := range f.store.leaves {
		given[l] = w.arg(ir.RoleState, l.path, l.typ())
	}
	w.s.fn.arg = func(l *cell) *ir.Value { return given[l] }
	g := *f
	g.s, g.noMake, g.inst = w.s, true, nil
	args, open := g.samples(inst.call, batch)
	if open != nil {
		f.report(&diag.Diagnostic{Code: codeFields, Pos: open.At, Msg: fmt.Sprintf("the type of `%s` leaves a size open", open.Name.Name), Fix: "a train block that uses the model, whose data has all sizes"})
		return nil, false
	}
	for i, p := range inst.call.decl.Params.List {
		if t, ok := args.vals[i].(*tensor); ok && t.v != nil && p.Default == nil {
			t.v = w.arg(ir.RoleInput, p.Name.Name, t.v.Type)
		}
	}
	v := g.invoke(inst.call, args, &Bad{Span{inst.call.decl.At}})
	if isBad(v) {
		return nil, false
	}
	x, ok := g.tensor(v, inst.call.decl.At)
	if !ok {
		return nil, false
	}
	w.result(ir.RoleOutput, "output", g.full(x, inst.call.decl.At))
	return w.function(ir.F32), true
}
