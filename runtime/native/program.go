package native

import (
	"fmt"
	"time"
	"unsafe"

	"vitc/codegen"
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

// resolver turns a function's plan into ops.
type resolver struct {
	plan   *codegen.FuncPlan
	lookup func(kernel string) (uintptr, error)
	depth  int // of loops
	most   int
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
	kernel, err := r.lookup(s.Kernel)
	if err != nil {
		return nil, err
	}
	o := &run{kernel: kernel, tasks: int64(s.Tasks), name: s.Kernel, label: s.Label, ptrs: make([]uintptr, len(s.Args)+1)}
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

func (r *resolver) place(a codegen.Addr) (place, error) {
	n, err := r.plan.SpaceIndex(a.Space)
	return place{n, a.Offset, a.Steps}, err
}

// frame is a call under way: where each space lies, and the turns of the loops around.
type frame struct {
	bases []uintptr
	turns []int
	pool  *pool
	timer func(kernel, label string, took time.Duration)
}

func (f *frame) at(p *place) uintptr {
	a := f.bases[p.space] + uintptr(p.offset)
	for i, s := range p.steps {
		a += uintptr(s * f.turns[i])
	}
	return a
}

func (f *frame) exec(ops []op) {
	for i := range ops {
		switch o := &ops[i]; {
		case o.run != nil:
			f.run(o.run)
		case o.loop != nil:
			f.loop(o.loop)
		default:
			f.copy(o.copy)
		}
	}
}

func (f *frame) run(r *run) {
	for i := range r.args {
		r.ptrs[i] = f.at(&r.args[i])
	}
	if f.timer == nil {
		f.pool.run(r.kernel, unsafe.Pointer(&r.ptrs[0]), r.tasks)
		return
	}
	start := time.Now()
	f.pool.run(r.kernel, unsafe.Pointer(&r.ptrs[0]), r.tasks)
	f.timer(r.name, r.label, time.Since(start))
}

func (f *frame) loop(l *loop) {
	for i := range l.length {
		if f.turns[l.depth] = i; l.reverse {
			f.turns[l.depth] = l.length - 1 - i
		}
		f.exec(l.body)
	}
}

func (f *frame) copy(c *copyOp) {
	copy(bytesAt(f.at(&c.dst), c.bytes), bytesAt(f.at(&c.src), c.bytes))
}

// bytesAt is memory of a block, as a slice.
func bytesAt(addr uintptr, n int) []byte {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&addr)) // outside the Go heap: the collector does not care
	return unsafe.Slice((*byte)(p), n)
}
