package lang

import (
	"vitc/ir"
	"vitc/ir/diag"
)

// Values that can be called, and what they are made of.

// function is a fn: of a file, or with inst of an instance.
type function struct {
	decl *Fn
	env  *env // it is evaluated in
	inst *instance
	name string
}

// moduleValue is a module.
type moduleValue struct {
	decl *Module
	env  *env
}

// hostValue is a function that the runtime implements; hosted a call of it.
type hostValue struct {
	decl *Host
	env  *env
}

type hosted struct{ call ir.Call }

// dataValue is a data block; its parameters are still open.
type dataValue struct {
	decl *Config
	env  *env
}

// blockValue is any other block.
type blockValue struct{ decl *Config }

// recipe is a call that awaits the rest of its arguments.
type recipe struct {
	callee value
	args   *arguments
	at     diag.Pos
}

// fixed is what `fixed(v)` gives: an initialiser that makes no parameter.
type fixed struct{ v float64 }

// instance is a module instantiated, or a block.
type instance struct {
	name   string // of the module
	path   string
	env    *env
	call   *function // the fn without a name, nil if there is none
	frozen bool
	// stacked are the hidden axes of an optimizer's parameter.
	stacked axes
	fields  bool // a block: its call takes the fields of data
}

// loop is one repeat.
type loop struct {
	axis axis
	path string
}

// looped is a chain of instances that share one loop; chain a list of instances.
type looped struct {
	loop *loop
	body value
}

type chain struct{ items []value }

// turn is a number computed from the number of a loop's turn, which differs in each.
type turn struct {
	loop *loop
	op   string // the IR's name, "" for the turn's number itself
	args []value
	test bool // a comparison
}

// cell is one parameter or state: one leaf of the program's state tree.
type cell struct {
	path   string
	role   ir.LeafKind
	acc    bool // an evaluation's own
	d      ir.DType
	axes   axes // as declared
	loops  []*loop
	hidden axes // an optimizer's: the axes of the parameter's loops
	init   value
	expr   Expr // that gave init
	frozen bool
	at     diag.Pos
	frame  *frame // where init was written
}

// store collects the leaves that instances make, in order.
type store struct {
	leaves []*cell
	made   []made // every instance, in the order of completion
	acc    bool
	role   ir.LeafKind
	paths  map[string]*cell
}

func (s *store) add(l *cell) {
	if s.paths == nil {
		s.paths = map[string]*cell{}
	}
	s.paths[l.path] = l
	s.leaves = append(s.leaves, l)
}

// stored is the name of a leaf in its module.
type stored struct{ cell *cell }

// constant is a parameter that is fixed.
type constant struct {
	axes axes
	d    ir.DType
	v    float64
}

// evalResult is what an earlier evaluation gave.
type evalResult struct {
	name   string
	fields []resultField
}

type resultField struct {
	name string
	t    *tensor // its type
	read bool    // by a later evaluation
}

func (*function) kind() string    { return "a fn" }
func (*builtin) kind() string     { return "a built-in fn" }
func (*moduleValue) kind() string { return "a module" }
func (*hostValue) kind() string   { return "a host function" }
func (*hosted) kind() string      { return "a host function's call" }
func (*dataValue) kind() string   { return "a data block" }
func (b *blockValue) kind() string {
	if b.decl.Kind == Eval || b.decl.Kind == Import {
		return "an " + string(b.decl.Kind) + " block"
	}
	return "a " + string(b.decl.Kind) + " block"
}
func (*recipe) kind() string     { return "a recipe" }
func (fixed) kind() string       { return "a fixed value" }
func (*instance) kind() string   { return "an instance" }
func (*looped) kind() string     { return "a repeated instance" }
func (*chain) kind() string      { return "a chain of instances" }
func (*turn) kind() string       { return "a number per turn" }
func (*stored) kind() string     { return "a tensor" }
func (*constant) kind() string   { return "a tensor" }
func (*evalResult) kind() string { return "an evaluation's result" }

// allAxes are the axes of the leaf's whole value: loops first, outermost first.
func (l *cell) allAxes() axes {
	var out axes
	for _, r := range l.loops {
		out = append(out, axis{name: r.axis.name, size: r.axis.size})
	}
	for _, a := range l.hidden {
		out = append(out, axis{name: a.name, size: a.size})
	}
	return append(out, l.axes...)
}

func (l *cell) typ() ir.Type { return ir.T(l.d, l.allAxes().dims()...) }

// over reports whether the leaf is stacked over a loop.
func (l *cell) over(r *loop) bool {
	for _, x := range l.loops {
		if x == r {
			return true
		}
	}
	return false
}
