package ir

import "fmt"

// Verify checks a module against the invariants of its phase: SSA, closed regions, types as
// the rules give them; each transfer that is started is waited for (verify_flight.go); no grad and no stop once differentiated; no Real once scheduled; and, of a
// module with a mesh, those of verify_mesh.go.
func Verify(m *Module) error {
	for _, f := range m.Funcs {
		if err := verifyFunc(m, f); err != nil {
			return fmt.Errorf("@%s: %w", f.Name, err)
		}
	}
	return nil
}

func verifyFunc(m *Module, f *Func) error {
	if len(f.Args) != len(f.Body.Params) {
		return fmt.Errorf("%d arguments for %d parameters", len(f.Args), len(f.Body.Params))
	}
	if len(f.Results) != len(f.Body.Yield) {
		return fmt.Errorf("%d results for %d values", len(f.Results), len(f.Body.Yield))
	}
	if len(f.Body.Stack) > 0 {
		return fmt.Errorf("a function stacks nothing")
	}
	state := map[string]Type{}
	for i, p := range f.Args {
		if p.Role == RoleState {
			state[p.Name] = f.Body.Params[i].Type
		}
	}
	for i, p := range f.Results {
		t, ok := state[p.Name]
		if p.Role == RoleState && ok && !t.Same(f.Body.Yield[i].Type) {
			return fmt.Errorf("state %s is %s and becomes %s", p.Name, t, f.Body.Yield[i].Type)
		}
	}
	if err := verifyPorts(m, f); err != nil {
		return err
	}
	if err := verifyRegion(m, f.Body); err != nil {
		return err
	}
	return verifyFlights(f.Body, nil)
}

func verifyRegion(m *Module, r *Region) error {
	seen := map[*Value]bool{}
	for _, p := range r.Params {
		if p.Def != nil || p.Lit != nil {
			return fmt.Errorf("parameter %%%s has a definition", p.Name)
		}
		seen[p] = true
	}
	use := func(v *Value) error {
		if v == nil {
			return fmt.Errorf("an operand is missing")
		}
		if v.Lit == nil && !seen[v] {
			return fmt.Errorf("%%%s %s is used outside its region or before its definition", v.Name, v.Type)
		}
		return nil
	}
	for _, op := range r.Ops {
		if err := verifyOp(m, op, use); err != nil {
			return located(op, err)
		}
		for _, v := range op.Out {
			if seen[v] {
				return located(op, fmt.Errorf("%%%s is defined twice", v.Name))
			}
			seen[v] = true
		}
	}
	for _, v := range append(append([]*Value(nil), r.Yield...), r.Stack...) {
		if err := use(v); err != nil {
			return fmt.Errorf("yield: %w", err)
		}
		if v.Lit != nil {
			return fmt.Errorf("yield of the literal %v: spread it first", *v.Lit)
		}
	}
	return nil
}

func located(op *Op, err error) error {
	if op.Pos != nil && op.Pos.Valid() {
		return fmt.Errorf("%s:%d:%d: %s: %w", op.Pos.File, op.Pos.Line, op.Pos.Col, op.Row.Name, err)
	}
	return fmt.Errorf("%s: %w", op.Row.Name, err)
}

func verifyOp(m *Module, op *Op, use func(*Value) error) error {
	for _, v := range op.In {
		if err := use(v); err != nil {
			return err
		}
		if op.Body != nil && v.Lit != nil {
			return fmt.Errorf("binds the literal %v: use it in the body", *v.Lit)
		}
	}
	if op.Body != nil {
		if err := verifyRegion(m, op.Body); err != nil {
			return err
		}
	}
	if err := verifyPhase(m.Phase, op); err != nil {
		return err
	}
	probe := *op // infer binds the rule: leave the op as it is
	types, err := infer(&probe, typesOf(op.Out))
	if err != nil {
		return err
	}
	if len(types) != len(op.Out) {
		return fmt.Errorf("gives %d results, has %d", len(types), len(op.Out))
	}
	for i, v := range op.Out {
		if v.Def != op {
			return fmt.Errorf("result %d belongs to another op", i+1)
		}
		if !v.Type.Same(types[i]) {
			return fmt.Errorf("result is %s, the rule gives %s", v.Type, types[i])
		}
	}
	if len(m.Mesh) > 0 {
		return verifyMesh(m, op)
	}
	return nil
}

func verifyPhase(p Phase, op *Op) error {
	name := op.Row.Name
	switch {
	case p == Built && name == "fusion", p == Built && name == "fence":
		return fmt.Errorf("stands in a built module")
	case p != Built && (name == "grad" || name == "stop"):
		return fmt.Errorf("is left after autodiff")
	}
	if p == Scheduled {
		for _, v := range op.Out {
			if v.Type.DType == Real {
				return fmt.Errorf("real is left after the precision pass")
			}
		}
	}
	return nil
}
