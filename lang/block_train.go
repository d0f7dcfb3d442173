package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// trainer is a train block, elaborated: its models, settings and optimizers.
type trainer struct {
	*block
	model     *store
	opt       *store
	data      *dataset
	batch     int
	clip, ema float64
	rate      value
	precision ir.DType
	steps     int
	epochs    float64
	seed      uint64
	updates   map[*cell]*updater // each trained parameter's optimizer
	start     *ir.Start          // leaves that begin with values from files, nil for none
	counters  [2]*cell           // t and seed
	emas      []*cell
	untrained bool // stands for the train block of a model that has none
	now       stepping
}

// updater is a parameter's optimizer, and where the table names it.
type updater struct {
	inst *instance
	at   diag.Pos
}

// Options complete and override what a train block says.
type Options struct {
	Params      map[string]string // the block's parameters, as written in the language
	EvalBatches map[string][]int  // for an evaluation, further batch sizes to compile for
	Batch       int               // of Forward and predictions, 0: one, and the eval block's own
	Seed        *uint64
	Precision   string // f32 or bf16
	// Plan names the plan block that is used. Others that are right come along with the program,
	// and of what is wrong in them nothing is said.
	Plan     string
	allPlans bool // all must be right
}

// train elaborates a train block; false after errors.
func (c *checker) train(decl *Config, o Options) (*trainer, bool) {
	f := &frame{c: c, env: c.fileEnv(c.unit.root).child(), store: &store{role: ir.LeafModel}}
	args, ok := f.trainArgs(decl, o)
	if !ok {
		return nil, false
	}
	b, ok := f.newBlock(decl, args)
	t := &trainer{block: b, model: f.store, opt: &store{role: ir.LeafOpt}, updates: map[*cell]*updater{}}
	if !ok {
		return t, false
	}
	if ok = t.readSettings(o); !ok {
		return t, false
	}
	t.counters = counters(decl.At)
	return t, t.optimizers() && t.startTable()
}

// counters makes the leaves of the steps done and of the seed.
func counters(at diag.Pos) [2]*cell {
	return [2]*cell{{path: "t", role: ir.LeafCounter, d: ir.I32, at: at},
		{path: "seed", role: ir.LeafCounter, d: ir.U32, axes: axes{{name: "word", size: 2}}, at: at}}
}

// trainArgs binds the block's parameters: overrides, then defaults.
func (f *frame) trainArgs(decl *Config, o Options) (*arguments, bool) {
	sig := &signature{name: decl.Name.Name, params: decl.Params, env: f.env}
	args, ok := f.overrides(decl.Name, o.Params)
	if !ok {
		return nil, false
	}
	b := f.bind(sig, args, nil)
	return b, b != nil && f.complete(b, decl.Name.At)
}

// overrides makes arguments of values given on the command line to the block or model of a name.
func (f *frame) overrides(of Ident, params map[string]string) ([]*Arg, bool) {
	var args []*Arg
	for _, name := range sortedKeys(params) {
		e, list := parseValue(name, params[name])
		if len(list) > 0 {
			f.c.list = append(f.c.list, list...)
			return nil, false
		}
		args = append(args, &Arg{Span: of.Span, Name: &Ident{of.Span, name}, Value: e})
	}
	return args, true
}

// parseValue reads a parameter given on the command line.
func parseValue(name, src string) (Expr, diag.List) {
	file, list := Parse("--set "+name, []byte("edition 1\nlet value = "+src+"\n"))
	for _, d := range file.Decls {
		if l, ok := d.(*Let); ok && len(list) == 0 {
			return l.Value, nil
		}
	}
	return nil, list
}

func (t *trainer) readSettings(o Options) bool {
	ok := true
	and := func(b bool) { ok = ok && b }
	var good bool
	t.data, good = t.dataOf()
	and(good && t.sourced(t.data))
	t.batch, good = t.count("batch", 1)
	and(good)
	if t.settings["batch"] == nil {
		t.missing("batch", "batch: 128")
		ok = false
	}
	t.clip, good = t.number("clip", 0, maxFloat, "a number above 0")
	and(good)
	t.ema, good = t.number("ema", 0, 1, "a number between 0 and 1, such as 0.9999")
	and(good)
	and(t.length())
	seed, good := t.count("seed", 0)
	and(good)
	if t.seed = uint64(seed); o.Seed != nil {
		t.seed = *o.Seed
	}
	and(t.readPrecision(o))
	and(t.readRate())
	if t.settings["optimizer"] == nil {
		t.missing("optimizer", "optimizer: optim.AdamW(decay: 0.05)")
		ok = false
	}
	if t.inst.call == nil {
		t.f.report(&diag.Diagnostic{Code: codeFields, Pos: t.decl.Name.At, Msg: fmt.Sprintf("`%s` has no `fn` to minimise", t.decl.Name.Name), Fix: "fn (image: ..., label: i32[batch]) { the loss }"})
		ok = false
	}
	return ok
}

const maxFloat = 1e300

func (t *trainer) length() bool {
	var ok, good bool
	t.steps, ok = t.count("steps", 1)
	t.epochs, good = t.number("epochs", 0, maxFloat, "a number above 0")
	switch {
	case !ok || !good:
		return false
	case t.settings["steps"] != nil && t.settings["epochs"] != nil:
		t.f.report(&diag.Diagnostic{Code: codeSetting, Pos: t.settings["epochs"].At, Msg: "`steps` and `epochs` both set the length", Fix: "one of them"})
		return false
	case t.settings["steps"] == nil && t.settings["epochs"] == nil:
		t.missing("steps", "steps: 10k, or epochs: 20")
		return false
	}
	return true
}

func (t *trainer) readPrecision(o Options) bool {
	t.precision = ir.F32
	v := t.value("precision")
	if o.Precision != "" {
		d, ok := dtypeNames[o.Precision]
		if v = d; !ok {
			v = text(o.Precision)
		}
	}
	if v == nil {
		return true
	}
	d, ok := v.(dtype)
	if !ok || ir.DType(d) != ir.F32 && ir.DType(d) != ir.BF16 {
		if t.settings["precision"] != nil && o.Precision == "" {
			t.bad("precision", "f32 or bf16", v)
		} else {
			t.f.report(&diag.Diagnostic{Code: codeValue, Msg: fmt.Sprintf("the precision cannot be %s", describeValue(v)), Expected: "f32 or bf16"})
		}
		return false
	}
	t.precision = ir.DType(d)
	return true
}

func (t *trainer) readRate() bool {
	s := t.settings["rate"]
	if s == nil || s.Value == nil {
		t.missing("rate", "rate: optim.cosine(peak: 1e-3, warmup: 500)")
		return false
	}
	t.rate = t.f.recipeOf(s.Value, "a schedule")
	callee, _ := opened(t.rate)
	fn, ok := callee.(*function)
	if ok {
		if sig := t.f.signatureOf(fn); sig.find("t") >= 0 && sig.find("steps") >= 0 {
			return true
		}
	}
	if isBad(t.rate) {
		return false
	}
	d := &diag.Diagnostic{Code: codeValue, Pos: s.Value.Pos(), Msg: fmt.Sprintf("`rate` cannot be %s", describeValue(t.rate)), Expected: "a schedule: a fn that awaits `t` and `steps`"}
	if n, ok := numeric(t.rate); ok {
		d.Fix = fmt.Sprintf("optim.flat(peak: %s)", show(n))
	}
	t.f.report(d)
	return false
}

// trained lists the parameters that have a gradient.
func (t *trainer) trained() []*cell {
	var out []*cell
	for _, l := range t.model.leaves {
		if l.role == ir.LeafParam && !l.frozen {
			out = append(out, l)
		}
	}
	return out
}

// optimizers makes each trained parameter's optimizer.
func (t *trainer) optimizers() bool {
	s := t.settings["optimizer"]
	entries := s.Table
	if s.Table == nil {
		entries = []*Entry{{Span: Span{s.Value.Pos()}, Pattern: &String{Span: Span{s.Value.Pos()}, Pieces: []Piece{{Text: "**"}}}, Value: s.Value}}
	}
	table, ok := t.table(entries, t.trained(), s)
	if !ok {
		return false
	}
	for _, l := range t.trained() {
		inst, good := t.optimizer(table[l], l)
		if ok = ok && good; good {
			t.updates[l] = &updater{inst, table[l].Value.Pos()}
		}
	}
	return ok
}

// table assigns to each parameter the first entry whose pattern matches its path. Every
// parameter must match, and every pattern must be used.
func (t *trainer) table(entries []*Entry, leaves []*cell, s *Setting) (map[*cell]*Entry, bool) {
	out := map[*cell]*Entry{}
	used := map[*Entry]bool{}
	ok := true
	for _, l := range leaves {
		for _, e := range entries {
			if ir.MatchPath(e.Key(), l.path) {
				out[l], used[e] = e, true
				break
			}
		}
		if out[l] == nil && ok {
			t.f.report(&diag.Diagnostic{Code: codeUnmatched, Pos: s.Key.At, Msg: fmt.Sprintf("no pattern matches `%s`", l.path),
				Notes: []diag.Note{{Pos: l.at, Text: "declared here"}}, Fix: fmt.Sprintf("a last line `\"**\": ...`, or one for %q", l.path)})
			ok = false
		}
	}
	for i, e := range entries {
		if !used[e] {
			t.unusedPattern(e, entries[:i], leaves)
			ok = false
		}
	}
	return out, ok
}

func (t *trainer) unusedPattern(e *Entry, before []*Entry, leaves []*cell) {
	d := &diag.Diagnostic{Code: codePattern, Pos: e.KeyPos(), Msg: "pattern matches no parameter"}
	for _, l := range leaves {
		if ir.MatchPath(e.Key(), l.path) {
			i := slices.IndexFunc(before, func(b *Entry) bool { return ir.MatchPath(b.Key(), l.path) })
			d.Label = "all that it matches is matched further up"
			d.Notes = []diag.Note{{Pos: before[i].KeyPos(), Text: "by this line, which comes first"}}
			d.Fix = "the narrower pattern first"
			t.f.report(d)
			return
		}
	}
	d.Expected = fmt.Sprintf("a path of `%s`", t.decl.Name.Name)
	var roots, paths []string
	for _, l := range leaves {
		paths = append(paths, l.path)
		if root, _, _ := strings.Cut(l.path, "."); !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	if len(roots) == 1 {
		d.Expected += fmt.Sprintf(", whose one model is `%s`", roots[0])
	} else if len(roots) > 1 {
		d.Expected += ", which begins with " + oneOf(roots)
	}
	for _, root := range roots {
		if slices.ContainsFunc(leaves, func(l *cell) bool { return ir.MatchPath(root+"."+e.Key(), l.path) }) {
			d.Fix = fmt.Sprintf("%q", root+"."+e.Key())
		}
	}
	if near := diag.Nearest(e.Key(), paths); d.Fix == "" && near != "" {
		d.Fix = fmt.Sprintf("%q", near)
	}
	t.f.report(d)
}

// optimizer makes an optimizer for a parameter: the axes of its loops ride along, hidden.
func (t *trainer) optimizer(e *Entry, l *cell) (*instance, bool) {
	g := *t.f
	g.env = t.f.env.child()
	g.store, g.path = t.opt, "opt."+l.path
	g.inst = &instance{path: g.path}
	for i, r := range l.loops {
		g.inst.stacked = append(g.inst.stacked, axis{name: r.axis.name, size: r.axis.size, hidden: i + 1})
	}
	v, before := opened(g.recipeOf(e.Value, "an optimizer"))
	mv, ok := v.(*moduleValue)
	if !ok {
		if !isBad(v) {
			g.report(&diag.Diagnostic{Code: codeValue, Pos: e.Value.Pos(), Msg: "an optimizer is a module that awaits its `shape`", Label: "this is " + describeValue(v), Fix: "optim.AdamW(decay: 0.05)"})
		}
		return nil, false
	}
	b := g.bind(g.signatureOf(mv), nil, before)
	i := b.sig.find("shape")
	if i < 0 {
		g.report(&diag.Diagnostic{Code: codeValue, Pos: e.Value.Pos(), Msg: fmt.Sprintf("`%s` is no optimizer: it has no parameter `shape`", b.sig.name), Expected: "a module such as optim.AdamW"})
		return nil, false
	}
	b.vals[i], b.at[i] = l.axes, e.Value.Pos()
	if !g.complete(b, e.Value.Pos()) {
		return nil, false
	}
	inst, ok := g.instantiate(mv, b, e.Value.Pos()).(*instance)
	if !ok {
		return nil, false
	}
	if inst.call == nil || len(inst.call.decl.Params.List) != 4 {
		g.report(&diag.Diagnostic{Code: codeValue, Pos: e.Value.Pos(), Msg: fmt.Sprintf("`%s` is no optimizer", inst.name), Expected: "a module with `fn (w: f32[shape], g: f32[shape], rate: f32[], t: f32[]) -> f32[shape]`"})
		return nil, false
	}
	return inst, true
}
