package native

import (
	"fmt"
	"slices"

	"vitc/codegen"
	"vitc/runtime/dist"
)

// place is an address with its space resolved to a number; see codegen.FuncPlan.SpaceIndex.
type place struct {
	space, offset int
	steps         []int
}

// op is a step ready to be executed; exactly one of its parts is set.
type op struct {
	run  *run
	loop *loop
	copy *copyOp
	meet *meeting
	wait *wait
}

type run struct {
	kernel uintptr
	args   []place
	ptrs   []uintptr // of args, as the kernel reads them
	tasks  int64
	name   string
	label  string
}

type loop struct {
	length  int
	reverse bool
	depth   int
	body    []op
}

type copyOp struct {
	dst, src place
	bytes    int
}

// meeting is a collective: the devices come to it together. One with a ticket is started only.
type meeting struct {
	*dist.Collective
	ticket  int
	in      []place
	out     place
	sizes   []int    // bytes of the operands, then of the result
	buffers [][]byte // of the operands, as the collective reads them
	name    string
	label   string
}

// wait is the end of a collective that was started.
type wait struct {
	ticket      int
	name, label string
}

// resolver turns a function's plan into ops.
type resolver struct {
	plan    *codegen.FuncPlan
	kernels map[string]uintptr
	comm    *dist.Comm // nil where there is no mesh
	depth   int        // of loops
	most    int
	tickets int
}

func (r *resolver) steps(steps []codegen.Step) ([]op, error) {
	ops := make([]op, len(steps))
	for i := range steps {
		var err error
		switch s := &steps[i]; {
		case s.Run != nil:
			ops[i].run, err = r.run(s.Run)
		case s.Loop != nil:
			ops[i].loop, err = r.loop(s.Loop)
		case s.Collective != nil:
			ops[i].meet, err = r.meet(s.Collective)
		case s.Wait != nil:
			ops[i].wait = &wait{s.Wait.Ticket, "wait", s.Wait.Label}
		default:
			ops[i].copy, err = r.copy(s.Copy)
		}
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return ops, nil
}

func (r *resolver) run(s *codegen.Run) (*run, error) {
	o := &run{kernel: r.kernels[s.Kernel], tasks: int64(s.Tasks), name: s.Kernel, label: s.Label, ptrs: make([]uintptr, len(s.Args)+1)}
	for _, a := range s.Args {
		p, err := r.place(a)
		if err != nil {
			return nil, err
		}
		o.args = append(o.args, p)
	}
	return o, nil
}

func (r *resolver) loop(s *codegen.Loop) (*loop, error) {
	o := &loop{length: s.Length, reverse: s.Reverse, depth: r.depth}
	r.depth++
	r.most = max(r.most, r.depth)
	var err error
	o.body, err = r.steps(s.Body)
	r.depth--
	return o, err
}

func (r *resolver) copy(s *codegen.Copy) (*copyOp, error) {
	dst, err := r.place(s.Dst)
	if err != nil {
		return nil, err
	}
	src, err := r.place(s.Src)
	return &copyOp{dst, src, s.Dst.Bytes}, err
}

func (r *resolver) meet(s *codegen.Collective) (*meeting, error) {
	if r.comm == nil {
		return nil, fmt.Errorf("%s in a program without a mesh", s.Row)
	}
	spec := dist.SpecOf(s.Op())
	spec.Ticket = s.Ticket
	r.tickets = max(r.tickets, s.Ticket)
	c, err := r.comm.Prepare(spec)
	if err != nil {
		return nil, err
	}
	o := &meeting{Collective: c, ticket: s.Ticket, buffers: make([][]byte, len(s.In)), name: s.Row, label: s.Label}
	for _, x := range append(slices.Clone(s.In), s.Out) {
		p, err := r.place(x.At)
		if err != nil {
			return nil, err
		}
		o.in, o.sizes = append(o.in, p), append(o.sizes, x.At.Bytes)
	}
	o.in, o.out = o.in[:len(s.In)], o.in[len(s.In)]
	return o, nil
}

func (r *resolver) place(a codegen.Addr) (place, error) {
	n, err := r.plan.SpaceIndex(a.Space)
	return place{n, a.Offset, a.Steps}, err
}
