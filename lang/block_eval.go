package lang

import (
	"fmt"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
)

// evaluator is an eval block, elaborated.
type evaluator struct {
	*block
	train  *trainer
	acc    *store
	data   *dataset
	batch  int
	every  int
	ema    bool
	result *evalResult
}

// evaluate elaborates an eval block of a train; before are the evaluations that it follows,
// outermost first.
func (c *checker) evaluate(decl *Config, t *trainer, before []*evaluator) (*evaluator, bool) {
	if decl.Params != nil {
		c.report(&diag.Diagnostic{Code: codeSetting, Pos: decl.Params.At, Msg: "an eval block has no parameters", Fix: "those of its train"})
		return nil, false
	}
	around := &env{vars: t.inst.env.vars, parent: c.fileEnv(c.unit.root)}
	for _, b := range before {
		around = &env{vars: b.inst.env.vars, parent: around}
		around = around.child()
		around.set(b.decl.Name.Name, b.outcome())
	}
	f := &frame{c: c, env: around.child(), store: &store{acc: true, role: ir.LeafModel}}
	b, ok := f.newBlock(decl, nil, "ema")
	e := &evaluator{block: b, train: t, acc: f.store}
	if !ok {
		return e, false
	}
	e.data, ok = e.dataOf()
	var good bool
	if e.batch, good = e.count("batch", 1); !good {
		ok = false
	}
	if e.settings["batch"] == nil {
		e.missing("batch", "batch: 500")
		ok = false
	}
	if e.every, good = e.count("every", 1); !good {
		ok = false
	}
	return e, ok && e.weights() && e.functions()
}

func (e *evaluator) weights() bool {
	v := e.value("weights")
	if v == nil {
		return true
	}
	if s, ok := v.(symbol); !ok || s != "ema" {
		e.bad("weights", "ema, or no setting", v)
		return false
	}
	if e.ema = true; e.train.ema == 0 {
		e.f.report(&diag.Diagnostic{Code: codeValue, Pos: e.settings["weights"].At, Msg: fmt.Sprintf("`%s` keeps no moving average", e.train.decl.Name.Name), Fix: "ema: 0.9999, in the train block"})
		return false
	}
	return true
}

func (e *evaluator) functions() bool {
	_, ok := e.inst.env.vars["result"].(*function)
	switch {
	case e.predicts() && e.inst.call == nil && !ok:
		return true
	case e.train.untrained:
		e.f.report(&diag.Diagnostic{Code: codeFields, Pos: e.decl.Name.At, Msg: fmt.Sprintf("`%s` is of a model, and such a block does nothing but predict", e.decl.Name.Name),
			Fix: "a `fn predict` alone, or an eval block of a train"})
		return false
	case e.inst.call == nil || !ok:
		e.f.report(&diag.Diagnostic{Code: codeFields, Pos: e.decl.Name.At, Msg: fmt.Sprintf("`%s` wants a `fn` of a batch and a `fn result`", e.decl.Name.Name),
			Fix: "fn result() { (top1: top1.result()) }"})
		return false
	}
	return e.sourced(e.data)
}

// measures reports whether the block evaluates, beside what it may predict.
func (e *evaluator) measures() bool { return e.inst.call != nil }

// scope prepares a function of the evaluation: state and accumulators become arguments
// where they are used.
func (e *evaluator) scope(name string) (*lowering, frame) {
	w := newLowering(name)
	f := *e.f
	f.s, f.noMake = w.s, true
	w.s.fn.prefix = "eval." + e.decl.Name.Name
	averages := map[*cell]*cell{}
	if e.ema {
		for i, l := range e.train.trained() {
			averages[l] = e.train.emas[i]
		}
	}
	accs := map[*cell]bool{}
	for _, l := range e.acc.leaves {
		accs[l] = true
	}
	w.s.fn.arg = func(l *cell) *ir.Value {
		if averages[l] != nil {
			l = averages[l]
		}
		role := ir.RoleState
		if accs[l] {
			role = ir.RoleAcc
		}
		return w.arg(role, l.path, l.typ())
	}
	w.s.fn.key = func(b *ir.Builder) *ir.Value {
		c := e.train.counters
		return fold(b, w.s.read(c[1]), b.Cast(w.s.read(c[0]), ir.U32))
	}
	extras := map[string]*ir.Value{}
	w.s.fn.extra = func(name string, t *tensor) *ir.Value {
		if extras[name] == nil {
			extras[name] = w.arg(ir.RoleMetric, name, ir.T(t.d, t.axes.dims()...))
		}
		return extras[name]
	}
	return w, f
}

// lowerBatch builds the function that adds a batch to the accumulators.
func (e *evaluator) lowerBatch(name string, batch int) (*ir.Func, bool) {
	w, f := e.scope(name)
	for _, l := range e.acc.leaves {
		w.s.read(l)
	}
	args, ok := e.inputs(w, e.data, batch, e.inst.call)
	if !ok {
		return nil, false
	}
	v := e.run(f, e.inst.call, args)
	if isBad(v) {
		return nil, false
	}
	for _, l := range e.acc.leaves {
		w.result(ir.RoleAcc, l.path, w.s.read(l))
	}
	w.order(e.train.state())
	return w.function(e.train.precision), true
}

// order puts state first, as in the program, then earlier results, accumulators and inputs,
// as they were asked for.
func (w *lowering) order(state []*cell) {
	at := map[string]int{}
	for i, l := range state {
		at[l.path] = i - len(state)
	}
	rank := map[ir.Role]int{ir.RoleMetric: 1, ir.RoleAcc: 2, ir.RoleInput: 3}
	key := func(i int) int {
		if w.ports[i].Role == ir.RoleState {
			return at[w.ports[i].Name]
		}
		return rank[w.ports[i].Role]
	}
	index := make([]int, len(w.args))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(i, j int) int { return key(i) - key(j) })
	args, ports := make([]*ir.Value, len(index)), make([]ir.Port, len(index))
	for k, i := range index {
		args[k], ports[k] = w.args[i], w.ports[i]
	}
	w.args, w.ports = args, ports
}

// lowerInit builds the function that makes fresh accumulators.
func (e *evaluator) lowerInit() (*ir.Func, bool) {
	w := newLowering("eval." + e.decl.Name.Name + ".init")
	ok := true
	for _, l := range e.acc.leaves {
		v := e.f.initial(w.s, l)
		if v == nil {
			ok = false
			continue
		}
		w.result(ir.RoleAcc, l.path, v)
	}
	return w.function(e.train.precision), ok
}

// lowerResult builds the function that reads the metrics out.
func (e *evaluator) lowerResult() (*ir.Func, bool) {
	w, f := e.scope("eval." + e.decl.Name.Name + ".result")
	for _, l := range e.acc.leaves {
		w.s.read(l)
	}
	fn := e.inst.env.vars["result"].(*function)
	b := f.bind(f.signatureOf(fn), nil, nil)
	if !f.complete(b, fn.decl.At) {
		return nil, false
	}
	v := e.run(f, fn, b)
	e.result = &evalResult{name: e.decl.Name.Name}
	if !e.metrics(w, f, "", v, fn) {
		e.result = nil
		return nil, false
	}
	w.order(e.train.state())
	return w.function(e.train.precision), true
}

// metrics makes results of the record that `result` gives; records within it by dotted names.
func (e *evaluator) metrics(w *lowering, f frame, name string, v value, fn *function) bool {
	at := fn.decl.At
	f.tick(at) // records that share fields are written out
	switch v := v.(type) {
	case bad:
		return false
	case *record:
		ok := true
		for _, key := range v.names {
			ok = e.metrics(w, f, joinPath(name, key), v.vals[key], fn) && ok
		}
		return ok
	}
	if name == "" {
		f.report(&diag.Diagnostic{Code: codeFields, Pos: at, Msg: "`result` gives a record of metrics", Label: "gives " + describeValue(v), Fix: "(top1: top1.result())"})
		return false
	}
	x, ok := f.tensor(v, at)
	if !ok {
		return false
	}
	w.result(ir.RoleMetric, name, f.full(x, at))
	e.result.fields = append(e.result.fields, resultField{name: name, t: &tensor{axes: x.axes, d: x.d}})
	return true
}

// unread warns of results that are neither numbers, which are reported, nor read by a later
// evaluation.
func (e *evaluator) unread() {
	for _, field := range e.result.fields {
		if len(field.t.axes) > 0 && !field.read {
			e.f.report(&diag.Diagnostic{Severity: diag.Warning, Code: codeUnused, Pos: e.inst.env.vars["result"].(*function).decl.At,
				Msg:   fmt.Sprintf("`%s` of `%s` is not reported and no evaluation reads it", field.name, e.decl.Name.Name),
				Label: field.t.String(), Expected: "a number, such as mean(...)"})
		}
	}
}

// outcome is what later evaluations see, bad where there is none.
func (e *evaluator) outcome() value {
	if e.result == nil {
		return bad{}
	}
	return e.result
}

// resultField reads a metric of an earlier evaluation.
func (f *frame) resultField(x *Field, r *evalResult) value {
	var names []string
	for i, field := range r.fields {
		if names = append(names, field.name); field.name != x.Name.Name {
			continue
		}
		r.fields[i].read = true
		if f.s == nil || f.s.fn.extra == nil {
			return f.outside(x.At)
		}
		return &tensor{axes: field.t.axes, d: field.t.d, v: f.s.fn.extra(r.name+"."+field.name, field.t)}
	}
	return f.noMember(x, fmt.Sprintf("the result of `%s`", r.name), names)
}
