package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// Check instantiates every model with complete arguments, every train whose parameters all
// have defaults, and every evaluation of those, and reports what is wrong.
func Check(u *Unit) diag.List {
	c := newChecker(u)
	for _, d := range u.root.file.Decls {
		c.guard(func() { c.checkDecl(d) })
	}
	for _, decl := range u.configs(Train) {
		if p := openParam(decl); p != nil {
			c.report(&diag.Diagnostic{Severity: diag.Warning, Code: codeMissing, Pos: p.At, Msg: fmt.Sprintf("`%s` is not checked: `%s` has no default", decl.Name.Name, p.Name.Name)})
			continue
		}
		c.guard(func() { c.program(decl, Options{allPlans: true}) })
	}
	for _, name := range u.Models() {
		c.guard(func() { c.checkPredictions(name) })
	}
	c.notYet()
	return c.list.Sorted()
}

// openParam returns the first parameter of a block that has no default, nil if all have one.
func openParam(decl *Config) *Param {
	if decl.Params == nil {
		return nil
	}
	for _, p := range decl.Params.List {
		if p.Default == nil {
			return p
		}
	}
	return nil
}

// Lower builds the program of a train block. After errors there is none; warnings come with
// a program.
func Lower(u *Unit, train string, o Options) (*ir.Program, diag.List) {
	c := newChecker(u)
	var p *ir.Program
	c.guard(func() {
		decl, ok := c.findTrain(train)
		if !ok {
			return
		}
		p, _ = c.program(decl, o)
	})
	if c.list.Errors() > 0 {
		return nil, c.list.Sorted()
	}
	return p, c.list.Sorted()
}

func (c *checker) findTrain(name string) (*Config, bool) {
	if d, ok := c.unit.root.decls[name].(*Config); ok && d.Kind == Train {
		return d, true
	}
	trains := c.unit.Trains()
	d := &diag.Diagnostic{Code: codeTarget, Msg: fmt.Sprintf("%s has no train block `%s`", c.unit.root.name, name), Fix: diag.Nearest(name, trains)}
	if len(trains) > 0 {
		d.Expected = oneOf(trains)
	}
	c.report(d)
	return nil, false
}

// checkDecl checks a declaration that is no train: what a file's lets and models evaluate to.
func (c *checker) checkDecl(d Decl) {
	e := c.fileEnv(c.unit.root)
	switch d := d.(type) {
	case *Let:
		c.declared(e, d.Name.Name)
	case *Model:
		c.soft = true
		c.model(d)
		c.soft = false
	case *Config:
		c.checkConfig(d)
	}
}

func (c *checker) checkConfig(d *Config) {
	switch d.Kind {
	case Data:
		f := &frame{c: c, env: c.fileEnv(c.unit.root)}
		v := &dataValue{d, f.env}
		if b := f.bind(f.signatureOf(v), nil, nil); len(b.missing()) == 0 {
			f.dataset(v, b, diag.Pos{})
		}
	case Import:
		f := &frame{c: c, env: c.fileEnv(c.unit.root)}
		v := &importValue{d, f.env}
		if b := f.bind(f.signatureOf(v), nil, nil); len(b.missing()) == 0 {
			f.importer(v, b, diag.Pos{})
		}
	case Eval, Train:
		if d.Kind == Train && d.Link != "" {
			c.report(&diag.Diagnostic{Code: codeTarget, Pos: d.Target.At, Msg: "a train block is of nothing", Fix: "leave `" + d.Link + " " + d.Target.String() + "` out"})
		}
		if m := c.ofModel(d); d.Kind == Eval && m == nil {
			c.targetOf(d)
		}
	case Plan:
		c.planTarget(d)
	}
}

// notYet warns of the blocks that the compiler passes over, once.
func (c *checker) notYet() {
	if list := c.unit.configs(Sweep); len(list) > 0 {
		c.report(&diag.Diagnostic{Severity: diag.Warning, Code: codeNotYet, Pos: list[0].At, Msg: "sweeps come later", Label: "read, and passed over"})
	}
}

// model checks a model: where its arguments are complete, an instance is made and its
// functions are called with arguments of the types that they declare.
func (c *checker) model(d *Model) {
	mv, args, ok := c.recipeOfModel(d)
	if !ok || args == nil || len(args.missing()) > 0 {
		return
	}
	f := c.modelFrame(d)
	inst, ok := f.instantiate(mv, args, d.Value.Pos()).(*instance)
	if !ok {
		return
	}
	w := newLowering("init")
	key := w.arg(ir.RoleInput, "seed", ir.T(ir.U32, ir.Dim{Label: "word", Size: 2}))
	w.s.fn.key = func(*ir.Builder) *ir.Value { return key }
	for _, l := range f.store.leaves {
		f.initial(w.s, l)
	}
	for _, name := range sortedKeys(inst.env.vars) {
		if fn, ok := inst.env.vars[name].(*function); ok && fn.inst == inst {
			f.tryOut(fn)
		}
	}
	if inst.call != nil {
		f.tryOut(inst.call)
	}
}

// modelFrame is where a model is instantiated: its leaves' paths begin with its name.
func (c *checker) modelFrame(d *Model) *frame {
	return &frame{c: c, env: c.fileEnv(c.unit.root).child(), path: d.Name.Name, store: &store{role: ir.LeafModel}}
}

// recipeOfModel finds the module that a model is a recipe of, with a copy of the arguments
// given so far, nil for a bare module.
func (c *checker) recipeOfModel(d *Model) (*moduleValue, *arguments, bool) {
	v, _ := c.declared(c.fileEnv(c.unit.root), d.Name.Name)
	if mv, ok := v.(*moduleValue); ok {
		return mv, nil, true
	}
	r, ok := v.(*recipe)
	if !ok {
		if !isBad(v) {
			c.report(&diag.Diagnostic{Code: codeKind, Pos: d.Value.Pos(), Msg: "a model is a recipe of a module", Label: "this is " + describeValue(v), Fix: "model name = vit.ViT(...)"})
		}
		return nil, nil, false
	}
	mv, ok := r.callee.(*moduleValue)
	if !ok {
		c.report(&diag.Diagnostic{Code: codeKind, Pos: d.Value.Pos(), Msg: "a model is a recipe of a module", Label: "this is one of " + r.callee.kind()})
		return nil, nil, false
	}
	args := *r.args
	args.vals, args.at = slices.Clone(args.vals), slices.Clone(args.at)
	return mv, &args, true
}

// tryBatch is the batch that functions are tried out with.
const tryBatch = 2

// tryOut calls a model's function with arguments of the types that it declares; one whose
// types leave a size open is passed over.
func (f *frame) tryOut(fn *function) {
	w := newLowering(fn.name)
	key := w.arg(ir.RoleInput, "seed", ir.T(ir.U32, ir.Dim{Label: "word", Size: 2}))
	w.s.fn.key = func(*ir.Builder) *ir.Value { return key }
	w.s.fn.arg = func(l *cell) *ir.Value { return &ir.Value{Name: l.path, Type: l.typ()} }
	g := *f
	g.s, g.noMake, g.training, g.inst = w.s, true, true, nil
	if b, open := g.samples(fn, tryBatch); open == nil {
		g.invoke(fn, b, &Bad{Span{fn.decl.At}})
	}
}

// samples makes arguments of the types that a function declares; open is the first parameter
// whose type leaves a size open.
func (f *frame) samples(fn *function, batch int) (b *arguments, open *Param) {
	b = f.bind(f.signatureOf(fn), nil, nil)
	h := *f
	h.env, h.inst = fn.env, fn.inst
	for i, p := range fn.decl.Params.List {
		if p.Default != nil {
			continue
		}
		t, ok := h.sample(p, batch)
		if !ok {
			return b, p
		}
		b.vals[i], b.at[i] = t, p.At
	}
	return b, nil
}

// sample makes a tensor of a parameter's type; `...` is the batch.
func (f *frame) sample(p *Param, batch int) (*tensor, bool) {
	if p.Type == nil || kindWord(p.Type) != "" {
		return nil, false
	}
	if !p.Type.Tensor {
		return nil, (&matching{frame: f}).bare(p.Type)
	}
	t := &tensor{d: ir.Real}
	if p.Type.Name != "" {
		d, ok := f.dtypeNamed(p.Type)
		if !ok {
			return nil, false
		}
		t.d = d
	}
	for _, a := range p.Type.Axes {
		l := axes{{name: "batch", size: batch}}
		if !a.Rest {
			var ok bool
			if l, ok = f.typeAxis(a); !ok {
				return nil, false
			}
		}
		for _, one := range l {
			if one.name == "batch" && one.size == unsized {
				one.size = batch
			}
			if one.size < 1 {
				return nil, false
			}
			if !t.axes.has(one) {
				t.axes = append(t.axes, one)
			}
		}
	}
	t.v = &ir.Value{Name: p.Name.Name, Type: ir.T(t.d, t.axes.dims()...)}
	return t, true
}

// targetOf finds the train that an eval block is of, and the evaluations between.
func (c *checker) targetOf(d *Config) (*Config, []*Config, bool) {
	var between []*Config
	seen := map[*Config]bool{d: true}
	for at := d; ; {
		if at.Target == nil {
			c.report(&diag.Diagnostic{Code: codeTarget, Pos: at.Name.At, Msg: fmt.Sprintf("`%s` is of no train", at.Name.Name), Fix: fmt.Sprintf("eval %s of %s { ... }", at.Name.Name, firstOf(c.unit.Trains()))})
			return nil, nil, false
		}
		next, ok := c.unit.root.decls[at.Target.String()].(*Config)
		if !ok || next.Kind != Train && next.Kind != Eval {
			var have []string
			for _, k := range []Kind{Train, Eval} {
				for _, x := range c.unit.configs(k) {
					have = append(have, x.Name.Name)
				}
			}
			c.report(&diag.Diagnostic{Code: codeTarget, Pos: at.Target.At, Msg: fmt.Sprintf("there is no train or eval `%s` in this file", at.Target),
				Expected: oneOf(slices.DeleteFunc(have, func(s string) bool { return s == d.Name.Name })), Fix: diag.Nearest(at.Target.String(), have)})
			return nil, nil, false
		}
		if next.Kind == Train {
			return next, between, true
		}
		if seen[next] {
			c.report(&diag.Diagnostic{Code: codeRecursion, Pos: at.Target.At, Msg: fmt.Sprintf("`%s` is of itself", next.Name.Name)})
			return nil, nil, false
		}
		seen[next] = true
		between = slices.Insert(between, 0, next)
		at = next
	}
}

// program lowers a train block with its evaluations; the program is nil after errors.
func (c *checker) program(decl *Config, o Options) (*ir.Program, *trainer) {
	before := c.list.Errors()
	t, ok := c.train(decl, o)
	if !ok {
		return nil, t
	}
	funcs, metrics, ok := t.lower()
	p := &ir.Program{Name: decl.Name.Name, Module: &ir.Module{Phase: ir.Built}, Sources: c.unit.Hashes()}
	p.Train = ir.Train{Data: t.data.ir, Batch: t.batch, Steps: t.steps, Epochs: t.epochs, Seed: t.seed, Precision: t.precision.String(), Metrics: metrics, Pos: decl.At}
	p.Start = t.start
	p.Module.Funcs = funcs
	for _, l := range t.state() {
		p.State = append(p.State, ir.Leaf{Name: l.path, Kind: l.role, Type: l.typ(), Pos: l.at})
	}
	done := map[*Config]*evaluator{}
	for _, e := range c.unit.configs(Eval) {
		c.guard(func() { c.evaluation(p, e, t, done, o) })
	}
	for _, e := range c.unit.configs(Eval) {
		if done[e] != nil && done[e].result != nil {
			done[e].unread()
		}
	}
	c.unknownEvals(o)
	if ok && c.list.Errors() == before {
		c.plans(p, t, o)
	}
	if !ok || c.list.Errors() > before {
		return nil, t
	}
	return p, t
}

// unknownEvals reports options for evaluations that do not exist.
func (c *checker) unknownEvals(o Options) {
	var have []string
	for _, e := range c.unit.configs(Eval) {
		have = append(have, e.Name.Name)
	}
	for _, name := range sortedKeys(o.EvalBatches) {
		if !slices.Contains(have, name) {
			c.report(&diag.Diagnostic{Code: codeTarget, Msg: fmt.Sprintf("there is no eval `%s`", name), Expected: strings.Join(have, ", "), Fix: diag.Nearest(name, have)})
		}
	}
}

// evaluation lowers an eval block if it is of this train.
func (c *checker) evaluation(p *ir.Program, decl *Config, t *trainer, done map[*Config]*evaluator, o Options) {
	if c.ofModel(decl) != nil {
		return
	}
	train, between, ok := c.targetOf(decl)
	if !ok || train != t.decl || done[decl] != nil {
		return
	}
	var before []*evaluator
	for _, b := range between {
		if done[b] == nil {
			c.evaluation(p, b, t, done, o)
		}
		if done[b] == nil {
			return
		}
		before = append(before, done[b])
	}
	e, ok := c.evaluate(decl, t, before)
	done[decl] = e
	if !ok {
		return
	}
	if e.predicts() {
		e.prediction(p, o)
	}
	if e.measures() {
		e.measurement(p, o)
	}
}

// measurement lowers an eval block's own functions: its unnamed fn, for each batch size, and
// `result`.
func (e *evaluator) measurement(p *ir.Program, o Options) {
	decl := e.decl
	name := "eval." + decl.Name.Name
	out := ir.Eval{Name: decl.Name.Name, Data: e.data.ir, Batch: e.batch, Every: e.every, Funcs: map[int]string{e.batch: name}, Pos: decl.At}
	funcs := []func() (*ir.Func, bool){func() (*ir.Func, bool) { return e.lowerBatch(name, e.batch) }}
	for _, n := range o.EvalBatches[decl.Name.Name] {
		if out.Funcs[n] != "" || n < 1 {
			continue
		}
		other := fmt.Sprintf("%s.b%d", name, n)
		out.Funcs[n] = other
		funcs = append(funcs, func() (*ir.Func, bool) { return e.lowerBatch(other, n) })
	}
	for _, build := range append(funcs, e.lowerInit, e.lowerResult) {
		if fn, ok := build(); ok {
			p.Module.Funcs = append(p.Module.Funcs, fn)
		}
	}
	for _, l := range e.acc.leaves {
		out.Acc = append(out.Acc, ir.Leaf{Name: l.path, Kind: l.role, Type: l.typ(), Pos: l.at})
	}
	if e.result != nil {
		for _, field := range e.result.fields {
			out.Metrics = append(out.Metrics, field.name)
		}
	}
	p.Evals = append(p.Evals, out)
}
