package ir

import "vitc/ir/diag"

// Value is one SSA value: the result of an op, a parameter of a region, or, with Lit set,
// a rank-0 literal that belongs to no region.
type Value struct {
	Name string // a hint for printing; not unique
	Type Type
	Def  *Op // nil for parameters and literals
	Lit  *float64
	Pos  *diag.Loc
	Mem  *Slot // after memory planning
}

// Slot is where a value lives: Offset bytes into a space. The spaces are "arena", the memory of
// one call; "argN", the buffer of argument N; and "resN", that of result N where it has its own.
type Slot struct {
	Space  string
	Offset int
	Bytes  int
	Steps  []int // bytes the place moves by with each turn of the enclosing scans, outermost first
}

// Op is one operation. Attrs points to the row's attribute struct, nil where it has none.
type Op struct {
	Row   *Row
	In    []*Value
	Out   []*Value
	Rule  Rule
	Attrs any
	Body  *Region
	Pos   *diag.Loc
}

// Region is a closed list of ops: it uses its parameters, literals and its own values only.
// Stack lists what a scan's body stacks over the turns beside its carries in Yield.
type Region struct {
	Params []*Value
	Ops    []*Op
	Yield  []*Value
	Stack  []*Value
}

// Role says what an argument or a result of a function is.
type Role string

// The roles. A result with a state's name replaces that state.
const (
	RoleState  Role = "state"  // a leaf of the state tree: a parameter, optimizer state, t, seed
	RoleInput  Role = "input"  // a field of the data, or the key of init
	RoleAcc    Role = "acc"    // an evaluation's accumulator
	RoleMetric Role = "metric" // a result to report
	RoleOutput Role = "output" // a result to hand out
)

// Port is one argument or result of a function.
type Port struct {
	Role Role
	Name string // net.block.up.w, image, loss
}

// Func is a function. Body.Params are its arguments, Body.Yield its results.
type Func struct {
	Name      string
	Args      []Port // beside Body.Params
	Results   []Port // beside Body.Yield
	Precision DType  // what Real stands for: F32 or BF16
	Arena     int    // bytes of arena that a call needs, after memory planning
	Body      *Region
}

// Phase says which invariants hold; the verifier demands them.
type Phase string

// The phases, in order. Types are global up to Propagated, and what one device holds from
// Partitioned on. Before Propagated, shardings are wishes: any value may have one.
const (
	Built          Phase = "built"
	Differentiated Phase = "differentiated"
	Propagated     Phase = "propagated"
	Partitioned    Phase = "partitioned"
	Scheduled      Phase = "scheduled"
)

// Module is a list of functions over one state tree. Mesh is that of the devices that its
// shardings speak of, empty where the program is for one device.
type Module struct {
	Phase Phase
	Mesh  Mesh
	Funcs []*Func
}

// Func finds a function, nil if there is none.
func (m *Module) Func(name string) *Func {
	for _, f := range m.Funcs {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Literal makes a rank-0 literal: x rounded to the dtype, so that it means the same to every
// reader. The text's literals get their dtype, and are rounded, once their op is read.
func Literal(d DType, x float64) *Value {
	if d.Float() {
		x = d.Round(x)
	}
	return &Value{Type: T(d), Lit: &x}
}

// Is reports whether v is a literal of value x.
func (v *Value) Is(x float64) bool { return v.Lit != nil && *v.Lit == x }

// Walk visits every op of a region and of the regions in it, outer before inner.
func (r *Region) Walk(visit func(*Op)) {
	for _, op := range r.Ops {
		visit(op)
		if op.Body != nil {
			op.Body.Walk(visit)
		}
	}
}

// CountOps counts the ops of a module, nested ones included.
func (m *Module) CountOps() int {
	n := 0
	for _, f := range m.Funcs {
		f.Body.Walk(func(*Op) { n++ })
	}
	return n
}

// Bug is a broken invariant of the compiler itself; the pass driver recovers it.
type Bug struct {
	Msg string
	Pos *diag.Loc
}

func (b *Bug) Error() string { return "internal error: " + b.Msg }
