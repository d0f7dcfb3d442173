package native

import (
	"context"
	"fmt"
	"slices"

	"vitc/codegen"
	"vitc/ir"
	"vitc/runtime/dist"
)

// device executes the plan on what one device of the mesh holds, with memory and threads of its
// own. A program without a mesh has one.
type device struct {
	number int
	comm   *dist.Comm // with the others; nil where there is no mesh
	funcs  map[string]*function
	leaves map[string]*leaf
	arena  *block // of whichever call is under way
	pool   *pool
}

// leaf is a leaf of the state, or an accumulator, as a device holds it.
type leaf struct {
	typ ir.Type
	*block
}

// function is one function, with its arguments and results bound to a device's memory.
type function struct {
	*codegen.FuncPlan
	ops    []op
	frame  frame
	blocks []*block // of spaces that are no leaves; beside frame.bases, nil elsewhere
}

// held reports whether values of a role live in the machine.
func held(r ir.Role) bool { return r == ir.RoleState || r == ir.RoleAcc }

// open gives the device its memory and threads, and binds the functions to them.
func (d *device) open(p *codegen.Plan, kernels map[string]uintptr, threads int, timer timer) error {
	if err := d.reserve(p, threads); err != nil {
		return err
	}
	for i := range p.Funcs {
		f := &p.Funcs[i]
		if err := d.bind(f, kernels, timer); err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
	}
	return nil
}

// reserve makes the threads, the arena and the leaves.
func (d *device) reserve(p *codegen.Plan, threads int) (err error) {
	if d.pool, err = newPool(threads, p.Scratch()); err != nil {
		return err
	}
	most := 0
	for i := range p.Funcs {
		most = max(most, p.Funcs[i].Arena)
		for _, a := range append(slices.Clone(p.Funcs[i].Args), p.Funcs[i].Results...) {
			if err := d.addLeaf(p.Funcs[i].Name, a); err != nil {
				return err
			}
		}
	}
	d.arena, err = newBlock(most)
	return err
}

func (d *device) addLeaf(fn string, a codegen.PlanArg) (err error) {
	if !held(a.Role) {
		return nil
	}
	if have := d.leaves[a.Name]; have != nil {
		if !have.typ.Same(a.Type) || !have.typ.Shard.Equal(a.Type.Shard) {
			return fmt.Errorf("%s %s is %s in function %q and %s in another", a.Role, a.Name, a.Type, fn, have.typ)
		}
		return nil
	}
	l := &leaf{typ: a.Type}
	d.leaves[a.Name] = l
	l.block, err = newBlock(a.Type.Bytes())
	return err
}

// bind resolves a function's plan and gives its spaces memory: leaves lie in the device, a result
// that replaces an argument's leaf in that, all else in blocks of the function.
func (d *device) bind(plan *codegen.FuncPlan, kernels map[string]uintptr, timer timer) error {
	f := &function{FuncPlan: plan}
	d.funcs[plan.Name] = f
	r := &resolver{plan: plan, kernels: kernels, comm: d.comm}
	var err error
	if f.ops, err = r.steps(plan.Steps); err != nil {
		return err
	}
	f.frame = frame{bases: []uintptr{d.arena.addr()}, turns: make([]int, r.most), pool: d.pool, timer: timer, flights: make([]*dist.Flight, r.tickets+1)}
	f.blocks = []*block{nil}
	for _, a := range plan.Args {
		if err := d.space(f, a); err != nil {
			return err
		}
	}
	for _, a := range plan.Results {
		if a.In > 0 {
			f.frame.bases, f.blocks = append(f.frame.bases, f.frame.bases[a.In]), append(f.blocks, nil)
		} else if err := d.space(f, a); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) space(f *function, a codegen.PlanArg) error {
	if held(a.Role) {
		f.frame.bases, f.blocks = append(f.frame.bases, d.leaves[a.Name].addr()), append(f.blocks, nil)
		return nil
	}
	b, err := newBlock(a.Type.Bytes())
	if err != nil {
		return err
	}
	f.frame.bases, f.blocks = append(f.frame.bases, b.addr()), append(f.blocks, b)
	return nil
}

// take copies the device's parts of inputs to the arguments' blocks.
func (d *device) take(f *function, args []argument, inputs map[string][]byte) {
	for i, a := range f.Args {
		if b := f.blocks[1+i]; b != nil {
			args[i].take(d.number, inputs[a.Name], b.mem)
		}
	}
}

// run executes a function on inputs. If it fails, the devices of the mesh stop with it.
func (d *device) run(ctx context.Context, fn string, args []argument, inputs map[string][]byte) error {
	f := d.funcs[fn]
	d.take(f, args, inputs)
	err := f.frame.exec(ctx, f.ops)
	if err == nil {
		return nil
	}
	d.comm.Transport().Abort(err)
	f.frame.land()
	return fmt.Errorf("device %d: %w", d.number, err)
}

// result is what the device holds of a result that is handed out, nil of others.
func (f *function) result(i int) *block { return f.blocks[1+len(f.Args)+i] }

// free gives memory and threads back.
func (d *device) free() []error {
	if d.pool != nil {
		d.pool.close()
	}
	errs := []error{d.arena.free()}
	for _, l := range d.leaves {
		errs = append(errs, l.free())
	}
	for _, f := range d.funcs {
		for _, b := range f.blocks {
			errs = append(errs, b.free())
		}
	}
	return errs
}
