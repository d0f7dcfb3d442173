package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// The table `start` of a train block: which leaves begin with values from files. A line is `init`,
// or an expression over load(file), which holds leaves as a run saved them, and over calls of import
// blocks.

// starter evaluates the table.
type starter struct {
	*trainer
	out     *ir.Start
	imports map[*Call]*startImport
	order   []*startImport
}

// startImport is a call of an import block in the table.
type startImport struct {
	im   *importer
	file string
	call *Call
}

// startTable matches the leaves of the models with the lines of `start`.
func (t *trainer) startTable() bool {
	s := t.settings["start"]
	if s == nil {
		return true
	}
	if s.Table == nil {
		t.f.report(&diag.Diagnostic{Code: codeSetting, Pos: s.At, Msg: "`start` is a table", Fix: `start { "**": load("runs/NAME") }`})
		return false
	}
	table, ok := t.table(s.Table, t.model.leaves, s)
	st := &starter{trainer: t, out: &ir.Start{Dir: fileDir(t.decl.At.File)}, imports: map[*Call]*startImport{}}
	for _, l := range t.model.leaves {
		if e := table[l]; e != nil && !isInit(e.Value) {
			ok = st.fill(l, e.Value) && ok
		}
	}
	if ok && len(st.out.Fills) > 0 {
		for _, i := range st.order {
			st.out.Files = append(st.out.Files, st.importFile(i))
		}
		t.start = st.out
	}
	return ok
}

func isInit(e Expr) bool {
	n, ok := e.(*Name)
	return ok && n.Name == "init"
}

// fill collects the ways to a leaf's value: the alternatives of the loads in its line.
func (s *starter) fill(l *cell, e Expr) bool {
	fill := ir.Fill{Leaf: l.path, Type: l.typ(), Pos: l.at}
	for alt, alts := 0, 1; alt < alts; alt++ {
		w := &weigher{frame: s.f.fork(), leaf: l, alt: alt, alts: 1, load: s.load}
		way, ok := w.way(e)
		if !ok {
			return false
		}
		if w.init {
			way = ir.Way{Pos: way.Pos}
		}
		fill.Ways = append(fill.Ways, way)
		alts = w.alts
	}
	s.out.Fills = append(s.out.Fills, fill)
	return true
}

// load evaluates load(file) or a call of an import block.
func (s *starter) load(w *weigher, e *Call) (weight, bool) {
	if n, ok := e.Fn.(*Name); ok && n.Name == "load" {
		return s.own(w, e)
	}
	v := w.eval(e.Fn)
	iv, ok := v.(*importValue)
	if !ok {
		if !isBad(v) {
			w.report(&diag.Diagnostic{Code: codeCall, Pos: e.Fn.Pos(), Msg: "a leaf does not begin with " + v.kind(), Expected: `init, load("runs/NAME"), or an import block such as weights.timm("b16.safetensors")`})
		}
		return weight{}, false
	}
	i, ok := s.importCall(w, iv, e)
	if !ok {
		return weight{}, false
	}
	return s.imported(w, i)
}

// fileArg is the first argument of a load: a path.
func (w *weigher) fileArg(e *Call) (string, bool) {
	if len(e.Args) == 0 || e.Args[0].Name != nil || e.Args[0].Spread {
		w.report(&diag.Diagnostic{Code: codeArgument, Pos: e.At, Msg: "a load takes a file first", Fix: `load("runs/NAME")`})
		return "", false
	}
	v := w.eval(e.Args[0].Value)
	t, ok := v.(text)
	if ok = ok && t != ""; !ok && !isBad(v) {
		w.report(&diag.Diagnostic{Code: codeKind, Pos: e.Args[0].At, Msg: "a file goes by its path", Label: "this is " + describeValue(v), Expected: "a string"})
	}
	return string(t), ok
}

// own evaluates load(file, from: root): the leaf itself, as a run or `vitc import` saved it. Where
// averages of parameters were kept, they come first.
func (s *starter) own(w *weigher, e *Call) (weight, bool) {
	file, ok := w.fileArg(e)
	if !ok {
		return weight{}, false
	}
	name := w.leaf.path
	for _, a := range e.Args[1:] {
		var from text
		if a.Name != nil && a.Name.Name == "from" {
			from, ok = w.eval(a.Value).(text)
		}
		if a.Name == nil || a.Name.Name != "from" || !ok {
			w.report(&diag.Diagnostic{Code: codeArgument, Pos: a.At, Msg: "`load` takes a file and the path that it has for ours", Fix: `load("runs/NAME", from: "net")`})
			return weight{}, false
		}
		_, rest, _ := strings.Cut(name, ".")
		name = joinPath(string(from), rest)
	}
	if w.leaf.role == ir.LeafParam {
		if w.alts = max(w.alts, 2); w.alt == 0 {
			name = "ema." + name
		}
	}
	out := weight{w: &ir.Weight{Op: ir.WeightLoad, File: file, Names: []string{name}, Dims: [][]ir.Dim{}, Pos: e.At}}
	for _, a := range w.leaf.allAxes() {
		a.size = w.knownSize(a.name)
		out.axes = append(out.axes, a)
		out.w.Dims = append(out.w.Dims, axes{a}.unknown())
	}
	return out, w.over(nil, e.At)
}

// importCall elaborates a call of an import block, once for all leaves.
func (s *starter) importCall(w *weigher, iv *importValue, e *Call) (*startImport, bool) {
	if i := s.imports[e]; i != nil {
		return i, i.im != nil
	}
	i := &startImport{call: e}
	s.imports[e] = i
	var ok bool
	if i.file, ok = w.fileArg(e); !ok {
		return i, false
	}
	b := w.bind(w.signatureOf(iv), e.Args[1:], nil)
	if b == nil || !w.complete(b, e.At) {
		return i, false
	}
	im, ok := w.importer(iv, b, e.At)
	if ok {
		i.im = im
		s.order = append(s.order, i)
	}
	return i, ok
}

// imported evaluates the line of an import block that the weigher's alternative asks for.
func (s *starter) imported(w *weigher, i *startImport) (weight, bool) {
	root, ok := s.model.rootOf(w.leaf, i.im.target)
	if !ok {
		w.report(&diag.Diagnostic{Code: codeTarget, Pos: i.call.At, Msg: fmt.Sprintf("`%s` is no part of a %s", w.leaf.path, i.im.decl.Target), Notes: []diag.Note{{Pos: i.im.decl.At, Text: "which the import block is for"}}})
		return weight{}, false
	}
	lines := i.im.linesFor(w.leaf, root)
	if len(lines) == 0 {
		i.im.unfilled(w.leaf, root)
		return weight{}, false
	}
	w.alts = max(w.alts, len(lines))
	l := lines[min(w.alt, len(lines)-1)]
	if isInit(l.entry.Value) { // the file need not have it
		w.init = true
		return weight{w: &ir.Weight{Op: ir.WeightNumber, Pos: i.call.At}, axes: w.leaf.allAxes()}, w.over(nil, i.call.At)
	}
	inner := i.im.weigher(w.leaf, root, l.captured, i.file, w.free)
	x, ok := inner.fitting(l.entry.Value)
	return x, ok && w.over(inner.turns, i.call.At)
}

// importFile lists what the block would read for leaves that begin otherwise: the file may hold it.
func (s *starter) importFile(i *startImport) ir.ImportFile {
	out := ir.ImportFile{File: i.file, Unused: i.im.unused, Pos: i.call.At}
	before := s.f.c.list
	for _, l := range s.model.leaves {
		filled := slices.ContainsFunc(s.out.Fills, func(f ir.Fill) bool { return f.Leaf == l.path })
		if root, ok := s.model.rootOf(l, i.im.target); ok && !filled {
			fill, _ := i.im.fill(l, root, i.file, nil)
			for _, way := range fill.Ways {
				way.Walk(func(w *ir.Weight) { out.Spare = append(out.Spare, w.Names...) })
			}
		}
	}
	s.f.c.list = before // leaves that do not come from the file need no line
	slices.Sort(out.Spare)
	out.Spare = slices.Compact(out.Spare)
	return out
}
