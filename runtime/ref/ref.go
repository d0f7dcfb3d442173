// Package ref runs programs by interpreting their IR: the target for machines where no LLVM is
// found, and the one that the others are compared with. Programs for a mesh run on virtual devices,
// which are held against one another whenever they hand something out.
package ref

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/interp"
	"vitc/runtime/layout"
)

// machine is a codegen.Machine over the interpreter.
type machine struct {
	mesh   ir.Mesh
	funcs  map[string]*function
	names  []string // of funcs, in the module's order
	leaves map[string]*interp.Tensor
	closed bool
}

// function is one function of the module, ready to run.
type function struct {
	*ir.Func
	plan          *interp.Plan // nil where there is a mesh
	args, results []ir.Type    // of whole tensors
}

var errClosed = errors.New("the machine is closed")

// Open makes a program ready to run, with state and accumulators of zeros. Its module must be
// differentiated; it is read here only, and may change afterwards.
func Open(p *ir.Program) (codegen.Machine, error) {
	m := &machine{mesh: p.Module.Mesh, funcs: map[string]*function{}, leaves: map[string]*interp.Tensor{}}
	for _, f := range p.Module.Funcs {
		fn := &function{Func: f, args: m.whole(f.Body.Params), results: m.whole(f.Body.Yield)}
		if len(m.mesh) == 0 {
			var err error
			if fn.plan, err = interp.Prepare(f, interp.Options{}); err != nil {
				return nil, err
			}
		}
		m.funcs[f.Name] = fn
		m.names = append(m.names, f.Name)
		if err := m.addLeaves(f.Name, f.Args, fn.args); err != nil {
			return nil, err
		}
		if err := m.addLeaves(f.Name, f.Results, fn.results); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// whole is the types of values that devices hold parts of.
func (m *machine) whole(vs []*ir.Value) []ir.Type {
	types := make([]ir.Type, len(vs))
	for i, v := range vs {
		types[i] = layout.Of(m.mesh, v.Type).Whole
	}
	return types
}

// held reports whether values of a role live in the machine.
func held(r ir.Role) bool { return r == ir.RoleState || r == ir.RoleAcc }

func (m *machine) addLeaves(fn string, ports []ir.Port, types []ir.Type) error {
	for i, p := range ports {
		if !held(p.Role) {
			continue
		}
		if have := m.leaves[p.Name]; have == nil {
			m.leaves[p.Name] = interp.New(types[i])
		} else if !have.Type.Same(types[i]) {
			return fmt.Errorf("@%s: %s %s is %s here and %s in another function", fn, p.Role, p.Name, types[i], have.Type)
		}
	}
	return nil
}

// Call implements codegen.Machine. On an error the state is as before.
func (m *machine) Call(ctx context.Context, fn string, inputs map[string][]byte) ([]codegen.Result, error) {
	if m.closed {
		return nil, errClosed
	}
	f := m.funcs[fn]
	if f == nil {
		return nil, fmt.Errorf("the program has no function @%s; it has: %s", fn, strings.Join(m.names, ", "))
	}
	args, err := m.bind(f, inputs)
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", fn, err)
	}
	out, err := m.run(ctx, f, args)
	if err != nil {
		return nil, err
	}
	var results []codegen.Result
	for i, p := range f.Results {
		if held(p.Role) {
			m.leaves[p.Name] = out[i]
		} else {
			results = append(results, codegen.Result{Name: p.Name, Type: out[i].Type, Data: out[i].Bytes()})
		}
	}
	return results, nil
}

// run evaluates a function; on a mesh it is not stopped once it has begun.
func (m *machine) run(ctx context.Context, f *function, args []*interp.Tensor) ([]*interp.Tensor, error) {
	if f.plan != nil {
		return f.plan.Run(ctx, args)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	out, err := interp.RunWhole(m.mesh, f.Func, args, f.results, interp.Options{})
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", f.Name, err)
	}
	return out, nil
}

// bind finds the arguments: leaves in the machine, the rest among the inputs.
func (m *machine) bind(f *function, inputs map[string][]byte) ([]*interp.Tensor, error) {
	args := make([]*interp.Tensor, len(f.Args))
	var names []string
	for i, p := range f.Args {
		if held(p.Role) {
			args[i] = m.leaves[p.Name]
			continue
		}
		names = append(names, p.Name)
		data, ok := inputs[p.Name]
		if !ok {
			return nil, fmt.Errorf("the input %s (%s) is missing", p.Name, f.args[i])
		}
		t, err := interp.FromBytes(f.args[i], data)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", p.Name, err)
		}
		args[i] = t
	}
	if len(inputs) > len(names) {
		return nil, fmt.Errorf("%d inputs are given, it takes %d: %s", len(inputs), len(names), strings.Join(names, ", "))
	}
	return args, nil
}

// Leaf implements codegen.Machine.
func (m *machine) Leaf(name string) ([]byte, error) {
	t, err := m.leaf(name)
	if err != nil {
		return nil, err
	}
	return t.Bytes(), nil
}

// SetLeaf implements codegen.Machine.
func (m *machine) SetLeaf(name string, data []byte) error {
	t, err := m.leaf(name)
	if err != nil {
		return err
	}
	next, err := interp.FromBytes(t.Type, data)
	if err != nil {
		return fmt.Errorf("leaf %s: %w", name, err)
	}
	m.leaves[name] = next
	return nil
}

func (m *machine) leaf(name string) (*interp.Tensor, error) {
	if m.closed {
		return nil, errClosed
	}
	t := m.leaves[name]
	if t == nil {
		if near := diag.Nearest(name, slices.Sorted(maps.Keys(m.leaves))); near != "" {
			return nil, fmt.Errorf("the state has no leaf %s; is it %s?", name, near)
		}
		return nil, fmt.Errorf("the state has no leaf %s, of %d", name, len(m.leaves))
	}
	return t, nil
}

// Close implements codegen.Machine.
func (m *machine) Close() error {
	m.closed, m.leaves = true, nil
	return nil
}
