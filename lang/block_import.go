package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/stdlib"
)

// importValue is an import block; its parameters are still open.
type importValue struct {
	decl *Config
	env  *env // it is evaluated in
}

func (*importValue) kind() string { return "an import block" }

// importer is an import block with its parameters given: lines that say where the leaves of a
// module lie in the files of another library.
type importer struct {
	*block
	target *Module
	unused []string
}

// importer elaborates an import block.
func (f *frame) importer(v *importValue, args *arguments, at diag.Pos) (*importer, bool) {
	g := f.enter(at, "", v.env)
	g.s, g.noMake = nil, true
	b, ok := g.newBlock(v.decl, args)
	if !ok {
		return nil, false
	}
	im := &importer{block: b}
	if im.target, ok = g.importTarget(v.decl); !ok {
		return nil, false
	}
	return im, im.readUnused()
}

// importTarget finds the module that the block is for.
func (f *frame) importTarget(decl *Config) (*Module, bool) {
	if decl.Target == nil || decl.Link != "for" {
		f.report(&diag.Diagnostic{Code: codeTarget, Pos: decl.Name.At, Msg: fmt.Sprintf("`%s` is for no module", decl.Name.Name), Fix: fmt.Sprintf("import %s for vit.ViT { ... }", decl.Name.Name)})
		return nil, false
	}
	parts := decl.Target.Parts
	var e Expr = &Name{parts[0].Span, parts[0].Name}
	for _, p := range parts[1:] {
		e = &Field{p.Span, e, p}
	}
	v := f.eval(e)
	if m, ok := v.(*moduleValue); ok {
		return m.decl, true
	}
	if !isBad(v) {
		f.report(&diag.Diagnostic{Code: codeTarget, Pos: decl.Target.At, Msg: "an import block is for a module", Label: "this is " + describeValue(v), Fix: "vit.ViT"})
	}
	return nil, false
}

func (im *importer) readUnused() bool {
	v := im.value("unused")
	if v == nil {
		return true
	}
	l, ok := v.(list)
	for _, x := range l {
		t, isText := x.(text)
		ok = ok && isText
		im.unused = append(im.unused, string(t))
	}
	if !ok {
		im.bad("unused", `a list of tensors' names, such as ["mask_token", "*.num_batches_tracked"]`, v)
	}
	return ok
}

// line is a line of the block that fills a leaf, with the numbers that its path took.
type line struct {
	entry    *Entry
	captured map[string]int
}

// linesFor lists the lines for a leaf of the instance at root: alternatives, in their order.
func (im *importer) linesFor(l *cell, root made) []line {
	var out []line
	rel := strings.TrimPrefix(l.path, root.path+".")
	for _, m := range im.decl.Body {
		if e, ok := m.(*Entry); ok {
			if captured, matches := captures(e.Key(), rel); matches {
				out = append(out, line{e, captured})
			}
		}
	}
	return out
}

// fill collects the ways to a leaf's value. file is what they read, free the axes whose sizes
// the file says.
func (im *importer) fill(l *cell, root made, file string, free axes) (ir.Fill, bool) {
	out := ir.Fill{Leaf: l.path, Type: l.typ(), Pos: l.at}
	lines := im.linesFor(l, root)
	if len(lines) == 0 {
		im.unfilled(l, root)
		return out, false
	}
	for _, x := range lines {
		way, ok := ir.Way{Pos: x.entry.Value.Pos()}, true
		if !isInit(x.entry.Value) {
			way, ok = im.weigher(l, root, x.captured, file, free).way(x.entry.Value)
		}
		if !ok {
			return out, false
		}
		out.Ways = append(out.Ways, way)
	}
	return out, true
}

func (im *importer) unfilled(l *cell, root made) {
	im.f.report(&diag.Diagnostic{Code: codeUnmatched, Pos: im.decl.Name.At, Msg: fmt.Sprintf("no line of `%s` fills `%s`", im.decl.Name.Name, l.path),
		Expected: fmt.Sprintf("a line for %q, which is %s", strings.TrimPrefix(l.path, root.path+"."), l.tensor()), Notes: []diag.Note{{Pos: l.at, Text: "declared here"}}})
}

// tensor shows the leaf's type.
func (l *cell) tensor() *tensor { return &tensor{axes: l.allAxes(), d: l.d} }

// weigher makes the evaluator of a line. The model's own axes and numbers captured from the path are
// compile-time values in it.
func (im *importer) weigher(l *cell, root made, captured map[string]int, file string, free axes) *weigher {
	g := im.f.fork()
	for _, name := range sortedKeys(root.inst.env.vars) {
		if a, ok := root.inst.env.vars[name].(axis); ok {
			g.env.set(name, a)
		}
	}
	for _, name := range sortedKeys(captured) {
		g.env.set(name, whole(captured[name]))
	}
	return &weigher{frame: g, leaf: l, free: free, load: func(w *weigher, e *Call) (weight, bool) { return w.loadDims(e, file) }}
}

// captures matches a line's path with a leaf's: a part such as {i} takes a number.
func captures(key, path string) (map[string]int, bool) {
	want, have := strings.Split(key, "."), strings.Split(path, ".")
	if len(want) != len(have) {
		return nil, false
	}
	out := map[string]int{}
	for i, w := range want {
		if !strings.HasPrefix(w, "{") || !strings.HasSuffix(w, "}") {
			if w != have[i] {
				return nil, false
			}
			continue
		}
		n := 0
		if _, err := fmt.Sscanf(have[i], "%d", &n); err != nil || fmt.Sprint(n) != have[i] {
			return nil, false
		}
		name := w[1 : len(w)-1]
		if old, twice := out[name]; twice && old != n {
			return nil, false
		}
		out[name] = n
	}
	return out, true
}

// loadDims evaluates load("name", [dims]) of an import block.
func (w *weigher) loadDims(e *Call, file string) (weight, bool) {
	if n, ok := e.Fn.(*Name); !ok || n.Name != "load" {
		w.report(&diag.Diagnostic{Code: codeCall, Pos: e.Fn.Pos(), Msg: fmt.Sprintf("`%s` is no operation on weights", w.c.excerpt(e.Fn.Pos())), Expected: "load, resize, sum, mean or f32"})
		return weight{}, false
	}
	var dims *List
	ok := len(e.Args) >= 2 && e.Args[0].Name == nil && e.Args[1].Name == nil
	if ok {
		dims, ok = e.Args[1].Value.(*List)
	}
	for _, a := range e.Args[min(2, len(e.Args)):] {
		ok = ok && a.Name != nil
	}
	if !ok {
		w.report(&diag.Diagnostic{Code: codeArgument, Pos: e.At, Msg: "`load` takes a tensor's name and the list of its dimensions", Fix: `load("blocks.{layer}.norm1.weight", [width])`})
		return weight{}, false
	}
	out := weight{w: &ir.Weight{Op: ir.WeightLoad, File: file, Pos: e.At, Dims: [][]ir.Dim{}}}
	for _, item := range dims.Items {
		l, ok := w.dimension(item)
		if !ok || !w.distinct(out.axes, l, item.Pos()) {
			return weight{}, false
		}
		out.axes = append(out.axes, l...)
		out.w.Dims = append(out.w.Dims, l.unknown())
	}
	out.w.Names, ok = w.tensors(e.Args[0].Value, e.Args[2:], out.axes)
	return out, ok
}

func (w *weigher) distinct(have, more axes, at diag.Pos) bool {
	for i, a := range more {
		if have.has(a) || more.index(a) != i {
			w.report(&diag.Diagnostic{Code: codeTwice, Pos: at, Msg: fmt.Sprintf("a tensor cannot have axis `%s` twice", a.name)})
			return false
		}
	}
	return true
}

// dimension reads one dimension of a tensor: an axis, several in a tuple, outermost first, or 1.
func (w *weigher) dimension(e Expr) (axes, bool) {
	switch e := e.(type) {
	case *Number:
		if e.Value == 1 {
			return axes{}, true
		}
	case *Name:
		return axes{{name: e.Name, size: w.knownSize(e.Name)}}, true
	case *Tuple:
		var out axes
		for _, a := range e.Args {
			one, ok := w.dimensionArg(a)
			if !ok {
				return nil, false
			}
			out = append(out, one)
		}
		return out, true
	}
	w.report(&diag.Diagnostic{Code: codeKind, Pos: e.Pos(), Msg: "a dimension of a tensor holds axes", Expected: "an axis, several as (heads, head), one of a size as (qkv: 3), or 1"})
	return nil, false
}

func (w *weigher) dimensionArg(a *Arg) (axis, bool) {
	if a.Name != nil {
		n, ok := w.size(a.Value, a.Name.Name)
		return axis{name: a.Name.Name, size: n}, ok
	}
	if n, ok := a.Value.(*Name); ok && !a.Spread {
		return axis{name: n.Name, size: w.knownSize(n.Name)}, true
	}
	w.report(&diag.Diagnostic{Code: codeKind, Pos: a.At, Msg: "an axis within a dimension goes by its name", Fix: "(qkv: 3, heads, head)"})
	return axis{}, false
}

// made is a module's instance and its path.
type made struct {
	path   string
	module *Module
	inst   *instance
}

// rootOf finds the instance of the importer's module that a leaf belongs to, innermost first.
func (s *store) rootOf(l *cell, m *Module) (made, bool) {
	best, ok := made{}, false
	for _, x := range s.made {
		if x.module == m && strings.HasPrefix(l.path, x.path+".") && len(x.path) >= len(best.path) {
			best, ok = x, true
		}
	}
	return best, ok
}

// Imports lists the import blocks that a program can be given by name: its own, then the
// library's.
func Imports(u *Unit) []string {
	var out []string
	for _, c := range u.configs(Import) {
		out = append(out, c.Name.Name)
	}
	if lib := u.weightsLibrary(); lib != nil {
		for _, d := range lib.file.Decls {
			if c, ok := d.(*Config); ok && c.Kind == Import && !slices.Contains(out, c.Name.Name) {
				out = append(out, c.Name.Name)
			}
		}
	}
	return out
}

// weightsLibrary is the library's file of import blocks, whether the program uses it or not.
func (u *Unit) weightsLibrary() *source {
	const name = "weights"
	text, ok := stdlib.Source(name)
	if !ok {
		return nil
	}
	for _, file := range []string{name + ".vit", "library/" + name + ".vit"} {
		if s := u.sources[file]; s != nil && slices.Equal(s.text, text) {
			return s
		}
	}
	l := &loader{unit: u}
	file, text, next, err := l.library(u.root, &UseItem{Name: Ident{Name: name}})
	if err != nil {
		return nil
	}
	return l.add(file, text, next)
}

// ImportBlock applies an import block to a model, or to the model within a train block: as is the
// block's name, or a call of it that gives its parameters. into is the path of the model where the
// train block has several.
func ImportBlock(u *Unit, of, as, into string, o Options) (*ir.Import, diag.List) {
	lib := u.weightsLibrary()
	c := newChecker(u)
	var out *ir.Import
	c.guard(func() {
		models, ok := c.modelsOf(of, o)
		if !ok {
			return
		}
		f := &frame{c: c, env: c.fileEnv(u.root).child()}
		if lib != nil {
			f.env = c.fileEnv(lib).child() // the program's own names first
			f.env.vars = map[string]value{}
			for _, d := range u.configs(Import) {
				f.env.set(d.Name.Name, &importValue{d, c.fileEnv(u.root)})
			}
		}
		if im, ok := f.importNamed(as); ok {
			out = im.of(models, into)
		}
	})
	if c.list.Errors() > 0 {
		return nil, c.list.Sorted()
	}
	return out, c.list.Sorted()
}

// modelsOf instantiates a model or a train block; its leaves are in the frame's store.
func (c *checker) modelsOf(of string, o Options) (*frame, bool) {
	if _, isModel := c.unit.root.decls[of].(*Model); !isModel {
		decl, ok := c.findTrain(of)
		if !ok {
			return nil, false
		}
		t, ok := c.train(decl, o)
		if !ok {
			return nil, false
		}
		return t.f, true
	}
	decl, ok := c.findModel(of)
	if !ok {
		return nil, false
	}
	_, f, ok := c.modelInstance(decl, o)
	return f, ok
}

// importNamed evaluates timm, or timm(root: "...").
func (f *frame) importNamed(as string) (*importer, bool) {
	e, list := parseValue("as", as)
	if len(list) > 0 {
		f.c.list = append(f.c.list, list...)
		return nil, false
	}
	var args []*Arg
	if call, ok := e.(*Call); ok {
		e, args = call.Fn, call.Args
	}
	n, ok := e.(*Name)
	var v value
	if ok {
		v, ok = f.lookup(n.Name)
	}
	iv, isImport := v.(*importValue)
	if !ok || !isImport {
		f.report(&diag.Diagnostic{Code: codeTarget, Msg: fmt.Sprintf("there is no import block %q", as), Expected: oneOf(Imports(f.c.unit)), Fix: diag.Nearest(as, Imports(f.c.unit))})
		return nil, false
	}
	b := f.bind(f.signatureOf(iv), args, nil)
	if b == nil || !f.complete(b, e.Pos()) {
		return nil, false
	}
	return f.importer(iv, b, iv.decl.At)
}

// of applies the block to the one instance of its module, or to that of a path.
func (im *importer) of(models *frame, into string) *ir.Import {
	s := models.store
	var roots []made
	var paths []string
	for _, x := range s.made {
		if x.module == im.target && (into == "" || x.path == into) {
			roots, paths = append(roots, x), append(paths, x.path)
		}
	}
	if len(roots) != 1 {
		d := &diag.Diagnostic{Code: codeTarget, Pos: im.decl.Target.At, Msg: fmt.Sprintf("the program has %d instances of %s", len(roots), im.decl.Target), Expected: "one"}
		if into != "" {
			d.Msg = fmt.Sprintf("the program has no %s at %q", im.decl.Target, into)
		} else if len(roots) > 1 {
			d.Expected, d.Fix = "the path of one: "+strings.Join(paths, ", "), "--into "+paths[0]
		}
		im.f.report(d)
		return nil
	}
	out := &ir.Import{Name: im.decl.Name.Name, Root: paths[0], Unused: im.unused, Pos: im.decl.At}
	var begin []*cell
	for _, l := range s.leaves {
		if !strings.HasPrefix(l.path, out.Root+".") {
			continue
		}
		fill, ok := im.fill(l, roots[0], "", nil)
		if !ok {
			continue
		}
		out.Fills = append(out.Fills, fill)
		if slices.ContainsFunc(fill.Ways, func(w ir.Way) bool { return w.Value == nil }) {
			begin = append(begin, l)
		}
	}
	if len(begin) > 0 {
		out.Init = models.initials(begin)
	}
	return out
}

// initials builds a function of the initial values of some leaves, as lowerInit does of all.
func (f *frame) initials(leaves []*cell) *ir.Func {
	w := newLowering("init")
	seed := w.arg(ir.RoleInput, "seed", ir.T(ir.U32, ir.Dim{Label: "word", Size: 2}))
	w.s.fn.key = func(b *ir.Builder) *ir.Value { return fold(b, seed, ir.Literal(ir.U32, initStep)) }
	for _, l := range leaves {
		if v := f.initial(w.s, l); v != nil {
			w.result(ir.RoleState, l.path, v)
		}
	}
	return w.function(ir.F32)
}
