// Package native runs programs that were compiled for the CPU: it loads a bundle's objects,
// keeps the state in memory of its own, and executes the plan on a pool of threads; a program
// for a mesh on virtual devices, each with threads of its own, or on one of every process.
package native

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/codegen/llvm/elfload"
	"vitc/ir/diag"
	"vitc/runtime/dist"
	"vitc/runtime/layout"
)

// Options say how a machine runs.
type Options struct {
	Threads int // of all devices here; 0: one a processor that this process may use
	// Timer, if not nil, is told after every kernel of the first device what it was and how long it
	// took; without it no clock is read.
	Timer func(kernel, label string, took time.Duration)
	// Ranks are this process's ends of the transport between the devices of a mesh: it holds the
	// devices of their ranks. nil: it holds them all.
	Ranks []dist.Transport
}

type timer = func(kernel, label string, took time.Duration)

// machine is a codegen.Machine over loaded objects.
type machine struct {
	images  []*elfload.Image
	devices []*device // those that this process holds
	names   []string  // of functions, in the plan's order
	args    map[string][]argument
	results map[string][]layout.Layout
	leaves  map[string]layout.Layout
	broken  error // why the state is lost, nil while it is not
	closed  bool
}

var errClosed = errors.New("the machine is closed")

// Open loads a bundle, with state and accumulators of zeros. It fails where this CPU cannot
// run the code.
func Open(b *codegen.Bundle, o Options) (codegen.Machine, error) {
	m := &machine{args: map[string][]argument{}, results: map[string][]layout.Layout{}, leaves: map[string]layout.Layout{}}
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
	m.lay(b.Plan)
	return m.populate(b.Plan, kernels, o)
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

// lay notes how the devices hold what functions take, give and keep.
func (m *machine) lay(p *codegen.Plan) {
	for i := range p.Funcs {
		f := &p.Funcs[i]
		m.names = append(m.names, f.Name)
		all := func(list []codegen.PlanArg) (ls []layout.Layout) {
			for _, a := range list {
				l := layout.Of(p.Mesh, a.Type)
				if ls = append(ls, l); held(a.Role) {
					m.leaves[a.Name] = l
				}
			}
			return ls
		}
		for _, l := range all(f.Args) {
			m.args[f.Name] = append(m.args[f.Name], argument{Layout: l})
		}
		m.results[f.Name] = all(f.Results)
	}
}

// populate makes the devices that this process holds, and shares its threads among them.
func (m *machine) populate(p *codegen.Plan, kernels map[string]uintptr, o Options) error {
	comms, err := connect(p, o.Ranks)
	if err != nil {
		return err
	}
	threads := o.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	for _, c := range comms {
		d := &device{comm: c, funcs: map[string]*function{}, leaves: map[string]*leaf{}}
		if c != nil {
			d.number = c.Device()
		}
		m.devices = append(m.devices, d)
		if err := d.open(p, kernels, max(1, threads/len(comms)), o.Timer); err != nil {
			return err
		}
		o.Timer = nil
	}
	m.share()
	return nil
}

// connect gives each device here its side of the mesh, nil where there is none.
func connect(p *codegen.Plan, ranks []dist.Transport) ([]*dist.Comm, error) {
	if len(p.Mesh) == 0 {
		if len(ranks) > 0 {
			return nil, errors.New("the program is for one device, not for ranks; fix: build it with a plan, or with --devices")
		}
		return []*dist.Comm{nil}, nil
	}
	if ranks == nil {
		ranks = dist.Memory(p.Mesh.Devices())
	}
	comms := make([]*dist.Comm, len(ranks))
	for i, t := range ranks {
		var err error
		if comms[i], err = dist.New(p.Mesh, t); err != nil {
			return nil, err
		}
	}
	return comms, nil
}

// whole puts a tensor together from what the devices hold.
func (m *machine) whole(l layout.Layout, part func(*device) []byte) ([]byte, error) {
	if !l.Cut() {
		return slices.Clone(part(m.devices[0])), nil
	}
	if len(m.devices) < l.Mesh.Devices() {
		return nil, fmt.Errorf("%s is spread over %d devices, of which %d are here", l.Local, l.Mesh.Devices(), len(m.devices))
	}
	data := make([]byte, l.Whole.Bytes())
	for _, d := range m.devices {
		l.Put(d.number, data, part(d))
	}
	return data, nil
}

// Leaf implements codegen.Machine.
func (m *machine) Leaf(name string) ([]byte, error) {
	l, err := m.leaf(name)
	if err != nil {
		return nil, err
	}
	return m.whole(l, func(d *device) []byte { return d.leaves[name].mem })
}

// SetLeaf implements codegen.Machine.
func (m *machine) SetLeaf(name string, data []byte) error {
	l, err := m.leaf(name)
	if err != nil {
		return err
	}
	if len(data) != l.Whole.Bytes() {
		return fmt.Errorf("leaf %s is given %d bytes: expected %d, of %s", name, len(data), l.Whole.Bytes(), l.Whole)
	}
	for _, d := range m.devices {
		l.Take(d.number, data, d.leaves[name].mem)
	}
	return nil
}

func (m *machine) leaf(name string) (layout.Layout, error) {
	if err := m.usable(); err != nil {
		return layout.Layout{}, err
	}
	l, ok := m.leaves[name]
	if ok {
		return l, nil
	}
	if near := diag.Nearest(name, slices.Sorted(maps.Keys(m.leaves))); near != "" {
		return l, fmt.Errorf("the state has no leaf %s; is it %s?", name, near)
	}
	return l, fmt.Errorf("the state has no leaf %s, of %d", name, len(m.leaves))
}

// Close implements codegen.Machine. It may be called twice.
func (m *machine) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	var errs []error
	for _, d := range m.devices {
		errs = append(errs, d.free()...)
	}
	for _, im := range m.images {
		errs = append(errs, im.Close())
	}
	return errors.Join(errs...)
}
