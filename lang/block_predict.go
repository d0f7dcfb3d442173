package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// A prediction is the `fn predict` of an eval block: fields of the block's data, of which no
// label is needed, to the tensors that `vitc predict` shows. What the data's stages do to a
// picture and what the fn does to its pixels is the model's preprocessing, declared where
// accuracy is measured by it.
//
// An eval block of a train predicts with what the train trains; one of a model has an instance
// of it in scope, under the model's own name, and can do nothing but predict.

// predictName is the fn that makes predictions.
const predictName = "predict"

// predicts reports whether the block has the fn.
func (e *evaluator) predicts() bool {
	fn, ok := e.inst.env.vars[predictName].(*function)
	return ok && fn.inst == e.inst
}

// prediction lowers the block's `fn predict`, for its own batch and for single examples, or for the
// batch of the options.
func (e *evaluator) prediction(p *ir.Program, o Options) {
	name := "eval." + e.decl.Name.Name + "." + predictName
	out := ir.Predict{Name: e.decl.Name.Name, Data: e.data.ir, Funcs: map[int]string{}, Pos: e.decl.At}
	sizes := slices.Compact([]int{e.batch, 1})
	if o.Batch > 0 {
		sizes = []int{o.Batch}
	}
	out.Batch = sizes[0]
	for _, n := range sizes {
		out.Funcs[n] = name
		if n != out.Batch {
			out.Funcs[n] = fmt.Sprintf("%s.b%d", name, n)
		}
		fn, ok := e.lowerPredict(out.Funcs[n], n)
		if !ok {
			return
		}
		p.Module.Funcs = append(p.Module.Funcs, fn)
	}
	p.Predicts = append(p.Predicts, out)
}

// lowerPredict builds the function that makes predictions of a batch. It draws nothing, keeps
// nothing and reads no other evaluation: one example's prediction is a function of it alone.
func (e *evaluator) lowerPredict(name string, batch int) (*ir.Func, bool) {
	fn := e.inst.env.vars[predictName].(*function)
	w, f := e.scope(name)
	w.s.fn.key, w.s.fn.extra = nil, nil
	args, ok := e.inputs(w, e.data, batch, fn)
	if !ok {
		return nil, false
	}
	v := e.run(f, fn, args)
	if isBad(v) || !e.outputs(w, f, "", v, fn) {
		return nil, false
	}
	if slices.ContainsFunc(w.ports, func(p ir.Port) bool { return p.Role == ir.RoleAcc }) {
		f.report(&diag.Diagnostic{Code: codeWrite, Pos: fn.decl.At, Msg: "`predict` keeps nothing", Label: "it uses a metric", Fix: "the metric in the block's unnamed `fn`"})
		return nil, false
	}
	w.order(e.train.state())
	return w.function(e.train.precision), true
}

// outputs makes results of what `predict` gives, a tensor or a record of them; the batch comes
// first, and what is real is handed out as f32.
func (e *evaluator) outputs(w *lowering, f frame, name string, v value, fn *function) bool {
	at := fn.decl.At
	f.tick(at) // records that share fields are written out
	if r, ok := v.(*record); ok {
		good := len(r.names) > 0
		for _, key := range r.names {
			good = e.outputs(w, f, joinPath(name, key), r.vals[key], fn) && good
		}
		return good
	}
	x, ok := f.tensor(v, at)
	if !ok {
		return false
	}
	if name == "" {
		name = "output"
	}
	k := x.axes.named("batch")
	if k < 0 {
		f.report(&diag.Diagnostic{Code: codeAxes, Pos: at, Msg: fmt.Sprintf("`%s` is no prediction for each example", name), Label: x.String(), Expected: "a tensor with the axis batch"})
		return false
	}
	to := append(axes{x.axes[k]}, slices.Delete(slices.Clone(x.axes), k, k+1)...)
	y := f.spreadTo(x, to, at)
	if y.Type.DType.Float() {
		y = f.build(at).Cast(y, ir.F32)
	}
	w.result(ir.RoleOutput, name, y)
	return true
}

// ofModel is the model that an eval block is of, nil where it is of a block.
func (c *checker) ofModel(d *Config) *Model {
	if d.Target == nil {
		return nil
	}
	m, _ := c.unit.root.decls[d.Target.String()].(*Model)
	return m
}

// modelProgram lowers what the eval blocks of a model predict; nil after errors.
func (c *checker) modelProgram(decl *Model, o Options) *ir.Program {
	before := c.list.Errors()
	t := c.untrained(decl, o)
	if t == nil {
		return nil
	}
	p := &ir.Program{Name: decl.Name.Name, Module: &ir.Module{Phase: ir.Built}, Sources: c.unit.Hashes()}
	p.Train.Precision = t.precision.String()
	for _, l := range t.model.leaves {
		p.State = append(p.State, ir.Leaf{Name: l.path, Kind: l.role, Type: l.typ(), Pos: l.at})
	}
	for _, d := range c.unit.configs(Eval) {
		if c.ofModel(d) != decl {
			continue
		}
		if e, ok := c.evaluate(d, t, nil); ok {
			e.prediction(p, o)
		}
	}
	if c.list.Errors() > before {
		return nil
	}
	return p
}

// untrained stands for the train block of a model that has none: an instance under the model's
// name, in f32, with nothing to train it. It is nil after errors.
func (c *checker) untrained(decl *Model, o Options) *trainer {
	inst, f, ok := c.modelInstance(decl, o)
	if !ok {
		return nil
	}
	f.env.set(decl.Name.Name, inst)
	stand := &Config{Span: decl.Span, Kind: Train, Name: decl.Name}
	return &trainer{block: &block{decl: stand, f: f, inst: &instance{name: decl.Name.Name, env: f.env}},
		model: f.store, opt: &store{role: ir.LeafOpt}, precision: ir.F32, counters: counters(decl.At), untrained: true}
}

// Predictions builds the program of a model's predictions: no function trains or evaluates,
// and the state is the model's alone.
func Predictions(u *Unit, model string, o Options) (*ir.Program, diag.List) {
	c := newChecker(u)
	var p *ir.Program
	c.guard(func() {
		if decl, ok := c.findModel(model); ok {
			p = c.modelProgram(decl, o)
		}
	})
	if c.list.Errors() > 0 {
		return nil, c.list.Sorted()
	}
	return p, c.list.Sorted()
}

// checkPredictions checks the eval blocks of a model whose arguments are complete.
func (c *checker) checkPredictions(model string) {
	decl := c.unit.root.decls[model].(*Model)
	if !slices.ContainsFunc(c.unit.configs(Eval), func(d *Config) bool { return c.ofModel(d) == decl }) {
		return
	}
	if _, args, ok := c.recipeOfModel(decl); ok && args != nil && len(args.missing()) == 0 {
		c.modelProgram(decl, Options{})
	}
}
