// Package xla runs programs through XLA: functions are written as StableHLO, compiled by a PJRT
// plugin, and run on one device of it or on a mesh of them. State stays on the devices.
package xla

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"vitc/codegen"
	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/layout"
	"vitc/runtime/pjrt"
)

// cpuFlags are options of every compile by XLA:CPU, which would lose NaN in max and min without.
var cpuFlags = []pjrt.Attribute{{Name: "xla_cpu_enable_fast_min_max", Value: false}}

// Options say where a program runs.
type Options struct {
	Plugin  pjrt.Kind
	Threads int // of XLA:CPU, 0: one a processor; other plugins have no such number
}

func typesOf(vs []*ir.Value) []ir.Type {
	types := make([]ir.Type, len(vs))
	for i, v := range vs {
		types[i] = v.Type
	}
	return types
}

// FewDevicesError is a program that is laid out over more devices than the plugin has.
type FewDevicesError struct{ Need, Have int }

func (e *FewDevicesError) Error() string {
	return fmt.Sprintf("the program is for %d devices, the plugin has %d", e.Need, e.Have)
}

// machine is a codegen.Machine over a client of a plugin.
type machine struct {
	client *pjrt.Client
	flags  []pjrt.Attribute // of every compile
	mesh   ir.Mesh
	funcs  map[string]*function
	names  []string // of funcs, in the module's order
	leaves map[string]*leaf
	broken error // why the state is lost, nil while it is not
	closed bool
}

// leaf is a leaf of the state, or an accumulator, as every device holds it.
type leaf struct {
	layout.Layout
	held []*pjrt.Buffer // by device
}

// function is a compiled function.
type function struct {
	*ir.Func
	loaded        *pjrt.Loaded
	args, results []layout.Layout
	types         []ir.Type // of the results on a device
	donates       bool      // it takes the state's buffers over
}

var errClosed = errors.New("the machine is closed")

// Open connects to a plugin's devices and compiles every function of a program, with state and
// accumulators of zeros. The module must be differentiated, without values of dtype real; one
// with a mesh must be partitioned. Errors: *pjrt.NotFoundError, *pjrt.LoadError, *pjrt.Error of
// the plugin, *stablehlo.Error, *FewDevicesError.
func Open(p *ir.Program, o Options) (codegen.Machine, error) {
	m := &machine{mesh: p.Module.Mesh, funcs: map[string]*function{}, leaves: map[string]*leaf{}}
	if err := m.open(p.Module, o); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *machine) open(module *ir.Module, o Options) (err error) {
	if m.client, err = connect(o, m.devices()); err != nil {
		return err
	}
	if o.Plugin.Name == pjrt.CPU.Name {
		m.flags = cpuFlags
	}
	for _, f := range module.Funcs {
		fn, err := m.function(f)
		if err != nil {
			return err
		}
		m.funcs[f.Name] = fn
		m.names = append(m.names, f.Name)
		if fn.loaded, err = m.compile(f); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.leaves)) {
		l := m.leaves[name]
		if l.held, err = m.upload(l.Layout, make([]byte, l.Whole.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) devices() int { return m.mesh.Devices() }

// connect makes a client with at least some devices.
func connect(o Options, devices int) (*pjrt.Client, error) {
	found, err := pjrt.Find(o.Plugin)
	if err != nil {
		return nil, err
	}
	if os.Getenv("TF_CPP_MIN_LOG_LEVEL") == "" {
		os.Setenv("TF_CPP_MIN_LOG_LEVEL", "3") // XLA logs by the environment
	}
	plugin, err := pjrt.Load(found.Path)
	if err != nil {
		return nil, err
	}
	c, err := clientOf(plugin, o, devices)
	if err != nil {
		return nil, err
	}
	if have := len(c.Devices()); have < devices {
		c.Close()
		return nil, &FewDevicesError{devices, have}
	}
	return c, nil
}

// clients are made one at a time where the environment says how.
var clients sync.Mutex

// poolSize is the variable that XLA:CPU reads, when it makes a client, for the threads of each of the
// client's two pools. It takes a thread a device at least.
const poolSize = "NPROC"

// clientOf makes a client. Only XLA:CPU makes devices as they are asked for, and has threads.
func clientOf(p *pjrt.Plugin, o Options, devices int) (*pjrt.Client, error) {
	if o.Plugin.Name != pjrt.CPU.Name {
		return p.NewClient()
	}
	clients.Lock()
	defer clients.Unlock()
	if o.Threads > 0 {
		defer restore(poolSize)()
		os.Setenv(poolSize, strconv.Itoa(o.Threads))
	}
	return p.NewClient(pjrt.Attribute{Name: "cpu_device_count", Value: int64(devices)})
}

// restore remembers a variable of the environment and gives what sets it back.
func restore(name string) func() {
	if was, set := os.LookupEnv(name); set {
		return func() { os.Setenv(name, was) }
	}
	return func() { os.Unsetenv(name) }
}

// function finds how the devices hold what a function takes and gives, and its leaves.
func (m *machine) function(f *ir.Func) (*function, error) {
	fn := &function{Func: f, types: typesOf(f.Body.Yield)}
	fn.args, fn.results = m.layouts(typesOf(f.Body.Params)), m.layouts(fn.types)
	if err := m.addLeaves(f.Name, f.Args, fn.args); err != nil {
		return nil, err
	}
	for _, r := range f.Results {
		fn.donates = fn.donates || r.Role == ir.RoleState && slices.ContainsFunc(f.Args, func(a ir.Port) bool { return a == r })
	}
	return fn, m.addLeaves(f.Name, f.Results, fn.results)
}

func (m *machine) layouts(local []ir.Type) []layout.Layout {
	ls := make([]layout.Layout, len(local))
	for i, t := range local {
		ls[i] = layout.Of(m.mesh, t)
	}
	return ls
}

// held reports whether values of a role live in the machine.
func held(r ir.Role) bool { return r == ir.RoleState || r == ir.RoleAcc }

func (m *machine) addLeaves(fn string, ports []ir.Port, ls []layout.Layout) error {
	for i, p := range ports {
		if !held(p.Role) {
			continue
		}
		if have := m.leaves[p.Name]; have == nil {
			m.leaves[p.Name] = &leaf{Layout: ls[i]}
		} else if have.Local.String() != ls[i].Local.String() {
			return fmt.Errorf("@%s: %s %s is %s here and %s in another function", fn, p.Role, p.Name, ls[i].Local, have.Local)
		}
	}
	return nil
}

func (m *machine) compile(f *ir.Func) (*pjrt.Loaded, error) {
	o := stablehlo.Options{}
	if len(m.mesh) > 0 {
		o = stablehlo.Options{Mode: stablehlo.Manual, Mesh: m.mesh}
	}
	text, err := stablehlo.Emit(f, o)
	if err != nil {
		return nil, err
	}
	loaded, err := m.client.Compile(text, pjrt.CompileOptions{Partitions: m.devices(), Shardy: len(m.mesh) > 0, Flags: m.flags})
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", f.Name, err)
	}
	return loaded, nil
}

// Call implements codegen.Machine. A call that fails leaves the state as it was, but for a step
// that fails on the devices: the state it was given is lost then, and the machine is broken. A
// call that has begun ends before the context is looked at again.
func (m *machine) Call(ctx context.Context, fn string, inputs map[string][]byte) ([]codegen.Result, error) {
	f, err := m.callable(ctx, fn)
	if err != nil {
		return nil, err
	}
	args, temporary, err := m.bind(f, inputs)
	defer closeAll(temporary)
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", fn, err)
	}
	out, err := f.loaded.Execute(args, f.types)
	if err != nil {
		err = fmt.Errorf("@%s: %w", fn, err)
		if f.donates {
			m.broken = fmt.Errorf("the state was lost in a call that failed: %w", err)
		}
		return nil, err
	}
	return m.take(f, out)
}

func (m *machine) callable(ctx context.Context, fn string) (*function, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	f := m.funcs[fn]
	if f == nil {
		return nil, fmt.Errorf("the program has no function @%s; it has: %s", fn, strings.Join(m.names, ", "))
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return f, nil
}

func (m *machine) usable() error {
	if m.closed {
		return errClosed
	}
	return m.broken
}

// bind finds the arguments of every device: leaves in the machine, the rest uploaded from the
// inputs, in buffers that are only for this call.
func (m *machine) bind(f *function, inputs map[string][]byte) (args, temporary [][]*pjrt.Buffer, err error) {
	args = make([][]*pjrt.Buffer, m.devices())
	var names []string
	for i, p := range f.Args {
		var buffers []*pjrt.Buffer
		if held(p.Role) {
			buffers = m.leaves[p.Name].held
		} else {
			names = append(names, p.Name)
			data, ok := inputs[p.Name]
			if !ok {
				return nil, temporary, fmt.Errorf("the input %s (%s) is missing", p.Name, f.args[i].Whole)
			}
			if buffers, err = m.upload(f.args[i], data); err != nil {
				return nil, temporary, fmt.Errorf("input %s: %w", p.Name, err)
			}
			temporary = append(temporary, buffers)
		}
		for d := range args {
			args[d] = append(args[d], buffers[d])
		}
	}
	if len(inputs) > len(names) {
		return nil, temporary, fmt.Errorf("%d inputs are given, it takes %d: %s", len(inputs), len(names), strings.Join(names, ", "))
	}
	return args, temporary, nil
}

// take puts a call's state and accumulators in the place of the old ones, and hands out the rest.
func (m *machine) take(f *function, out [][]*pjrt.Buffer) (results []codegen.Result, err error) {
	for i, p := range f.Results {
		buffers := make([]*pjrt.Buffer, len(out))
		for d := range out {
			buffers[d] = out[d][i]
		}
		if held(p.Role) {
			closeAll([][]*pjrt.Buffer{m.leaves[p.Name].held})
			m.leaves[p.Name].held = buffers
			continue
		}
		data, failed := download(f.results[i], buffers)
		closeAll([][]*pjrt.Buffer{buffers})
		if failed != nil && err == nil {
			err = fmt.Errorf("@%s: %s: %w", f.Name, p.Name, failed)
		}
		results = append(results, codegen.Result{Name: p.Name, Type: f.results[i].Whole, Data: data})
	}
	if err != nil {
		return nil, err
	}
	return results, nil
}

// Leaf implements codegen.Machine.
func (m *machine) Leaf(name string) ([]byte, error) {
	l, err := m.leaf(name)
	if err != nil {
		return nil, err
	}
	return download(l.Layout, l.held)
}

// SetLeaf implements codegen.Machine.
func (m *machine) SetLeaf(name string, data []byte) error {
	l, err := m.leaf(name)
	if err != nil {
		return err
	}
	next, err := m.upload(l.Layout, data)
	if err != nil {
		return fmt.Errorf("leaf %s: %w", name, err)
	}
	closeAll([][]*pjrt.Buffer{l.held})
	l.held = next
	return nil
}

func (m *machine) leaf(name string) (*leaf, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	l := m.leaves[name]
	if l == nil {
		if near := diag.Nearest(name, slices.Sorted(maps.Keys(m.leaves))); near != "" {
			return nil, fmt.Errorf("the state has no leaf %s; is it %s?", name, near)
		}
		return nil, fmt.Errorf("the state has no leaf %s, of %d", name, len(m.leaves))
	}
	return l, nil
}

// Close implements codegen.Machine.
func (m *machine) Close() error {
	m.closed = true
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(m.leaves)) {
		errs = append(errs, closeAll([][]*pjrt.Buffer{m.leaves[name].held}))
	}
	for _, name := range m.names {
		if loaded := m.funcs[name].loaded; loaded != nil {
			errs = append(errs, loaded.Close())
		}
	}
	if m.client != nil {
		errs = append(errs, m.client.Close())
	}
	m.leaves, m.funcs, m.names, m.client = nil, nil, nil, nil
	return errors.Join(errs...)
}
