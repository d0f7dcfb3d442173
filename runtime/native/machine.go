// Package native runs programs that were compiled for the CPU: it loads a bundle's objects,
// keeps the state in memory of its own, and executes the plan on a pool of threads.
package native

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/elfload"
	"vitc/ir"
	"vitc/ir/diag"
)

// Options say how a machine runs.
type Options struct {
	Threads int // 0: one a processor that this process may use
	// Timer, if not nil, is told after every kernel what it was and how long it took; without
	// it no clock is read.
	Timer func(kernel, label string, took time.Duration)
}

// machine is a codegen.Machine over loaded objects.
type machine struct {
	images []*elfload.Image
	funcs  map[string]*function
	names  []string // of funcs, in the plan's order
	leaves map[string]*leaf
	arena  *block // of whichever call is under way
	pool   *pool
	timer  func(kernel, label string, took time.Duration)
	closed bool
}

// leaf is a leaf of the state, or an accumulator.
type leaf struct {
	typ ir.Type
	*block
}

// function is one function, with its arguments and results bound to memory.
type function struct {
	*codegen.FuncPlan
	ops    []op
	frame  frame
	blocks []*block // of spaces that are no leaves; beside frame.bases, nil elsewhere
}

var errClosed = errors.New("the machine is closed")

// Open loads a bundle, with state and accumulators of zeros. It fails where this CPU cannot
// run the code.
func Open(b *codegen.Bundle, o Options) (codegen.Machine, error) {
	m := &machine{funcs: map[string]*function{}, leaves: map[string]*leaf{}, timer: o.Timer}
	if err := m.open(b, o); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *machine) open(b *codegen.Bundle, o Options) error {
	if b.Target != "cpu" {
		return fmt.Errorf("the bundle is for target %q: expected cpu; fix: build it again with --target cpu", b.Target)
	}
	level, err := cpu.ParseLevel(b.ISA)
	if err != nil {
		return err
	}
	if err := cpu.Detect().CanRun(level); err != nil {
		return err
	}
	if err := b.Plan.Check(b.Kernels()); err != nil {
		return fmt.Errorf("the bundle's plan: %w", err)
	}
	kernels, err := m.load(b.Objects)
	if err != nil {
		return err
	}
	if err := m.reserve(b.Plan, o); err != nil {
		return err
	}
	for i := range b.Plan.Funcs {
		f := &b.Plan.Funcs[i]
		if err := m.bind(f, kernels); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
	}
	return nil
}

// load maps the objects and returns the kernels' addresses.
func (m *machine) load(objects []codegen.Object) (map[string]uintptr, error) {
	kernels := map[string]uintptr{}
	for _, o := range objects {
		im, err := elfload.Load(o.Code)
		if err != nil {
			return nil, fmt.Errorf("loading %s: %w", o.Name, err)
		}
		m.images = append(m.images, im)
		for _, k := range o.Kernels {
			if kernels[k], err = im.Lookup(k); err != nil {
				return nil, fmt.Errorf("loading %s: %w", o.Name, err)
			}
		}
	}
	return kernels, nil
}

// reserve makes the threads, the arena and the leaves.
func (m *machine) reserve(p *codegen.Plan, o Options) (err error) {
	threads := o.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if m.pool, err = newPool(threads, p.Scratch()); err != nil {
		return err
	}
	most := 0
	for i := range p.Funcs {
		most = max(most, p.Funcs[i].Arena)
		for _, a := range append(slices.Clone(p.Funcs[i].Args), p.Funcs[i].Results...) {
			if err := m.addLeaf(p.Funcs[i].Name, a); err != nil {
				return err
			}
		}
	}
	m.arena, err = newBlock(most)
	return err
}

// held reports whether values of a role live in the machine.
func held(r ir.Role) bool { return r == ir.RoleState || r == ir.RoleAcc }

func (m *machine) addLeaf(fn string, a codegen.PlanArg) (err error) {
	if !held(a.Role) {
		return nil
	}
	if have := m.leaves[a.Name]; have != nil {
		if !have.typ.Same(a.Type) {
			return fmt.Errorf("%s %s is %s in function %q and %s in another", a.Role, a.Name, a.Type, fn, have.typ)
		}
		return nil
	}
	l := &leaf{typ: a.Type}
	m.leaves[a.Name] = l
	l.block, err = newBlock(a.Type.Bytes())
	return err
}

// bind resolves a function's plan and gives its spaces memory: leaves lie in the machine, a
// result that replaces an argument's leaf in that, all else in blocks of the function.
func (m *machine) bind(plan *codegen.FuncPlan, kernels map[string]uintptr) error {
	f := &function{FuncPlan: plan}
	m.funcs[plan.Name] = f
	m.names = append(m.names, plan.Name)
	r := &resolver{plan: plan, lookup: func(k string) (uintptr, error) { return kernels[k], nil }}
	var err error
	if f.ops, err = r.steps(plan.Steps); err != nil {
		return err
	}
	f.frame = frame{bases: []uintptr{m.arena.addr()}, turns: make([]int, r.most), pool: m.pool, timer: m.timer}
	f.blocks = []*block{nil}
	for _, a := range plan.Args {
		if err := m.space(f, a); err != nil {
			return err
		}
	}
	for _, a := range plan.Results {
		if a.In > 0 {
			f.frame.bases, f.blocks = append(f.frame.bases, f.frame.bases[a.In]), append(f.blocks, nil)
		} else if err := m.space(f, a); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) space(f *function, a codegen.PlanArg) error {
	if held(a.Role) {
		f.frame.bases, f.blocks = append(f.frame.bases, m.leaves[a.Name].addr()), append(f.blocks, nil)
		return nil
	}
	b, err := newBlock(a.Type.Bytes())
	if err != nil {
		return err
	}
	f.frame.bases, f.blocks = append(f.frame.bases, b.addr()), append(f.blocks, b)
	return nil
}

// Call implements codegen.Machine. A call that has begun runs to its end, as it changes the
// state in place: ctx is looked at before.
func (m *machine) Call(ctx context.Context, fn string, inputs map[string][]byte) ([]codegen.Result, error) {
	if m.closed {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	f := m.funcs[fn]
	if f == nil {
		return nil, fmt.Errorf("the program has no function @%s; it has: %s", fn, strings.Join(m.names, ", "))
	}
	if err := f.take(inputs); err != nil {
		return nil, fmt.Errorf("@%s: %w", fn, err)
	}
	f.frame.exec(f.ops)
	runtime.KeepAlive(f)
	return f.results(), nil
}

// take copies the inputs to the arguments' blocks.
func (f *function) take(inputs map[string][]byte) error {
	var names []string
	for i, a := range f.Args {
		b := f.blocks[1+i]
		if b == nil {
			continue
		}
		names = append(names, a.Name)
		data, ok := inputs[a.Name]
		if !ok {
			return fmt.Errorf("the input %s (%s) is missing", a.Name, a.Type)
		}
		if len(data) != len(b.mem) {
			return fmt.Errorf("the input %s has %d bytes: expected %d, of %s", a.Name, len(data), len(b.mem), a.Type)
		}
		copy(b.mem, data)
	}
	if len(inputs) > len(names) {
		return fmt.Errorf("%d inputs are given, it takes %d: %s", len(inputs), len(names), strings.Join(names, ", "))
	}
	return nil
}

func (f *function) results() []codegen.Result {
	var out []codegen.Result
	for i, r := range f.Results {
		if b := f.blocks[1+len(f.Args)+i]; b != nil {
			out = append(out, codegen.Result{Name: r.Name, Type: r.Type, Data: slices.Clone(b.mem)})
		}
	}
	return out
}

// Leaf implements codegen.Machine.
func (m *machine) Leaf(name string) ([]byte, error) {
	l, err := m.leaf(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(l.mem), nil
}

// SetLeaf implements codegen.Machine.
func (m *machine) SetLeaf(name string, data []byte) error {
	l, err := m.leaf(name)
	if err != nil {
		return err
	}
	if len(data) != len(l.mem) {
		return fmt.Errorf("leaf %s is given %d bytes: expected %d, of %s", name, len(data), len(l.mem), l.typ)
	}
	copy(l.mem, data)
	return nil
}

func (m *machine) leaf(name string) (*leaf, error) {
	if m.closed {
		return nil, errClosed
	}
	if l := m.leaves[name]; l != nil {
		return l, nil
	}
	if near := diag.Nearest(name, slices.Sorted(maps.Keys(m.leaves))); near != "" {
		return nil, fmt.Errorf("the state has no leaf %s; is it %s?", name, near)
	}
	return nil, fmt.Errorf("the state has no leaf %s, of %d", name, len(m.leaves))
}

// Close implements codegen.Machine. It may be called twice.
func (m *machine) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	if m.pool != nil {
		m.pool.close()
	}
	var errs []error
	for _, im := range m.images {
		errs = append(errs, im.Close())
	}
	for _, l := range m.leaves {
		errs = append(errs, l.free())
	}
	for _, f := range m.funcs {
		for _, b := range f.blocks {
			errs = append(errs, b.free())
		}
	}
	return errors.Join(append(errs, m.arena.free())...)
}
