package pjrt

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Topology is a machine that a plugin compiles for without being attached to it.
type Topology struct {
	plugin *Plugin
	h      *handle
}

// NewTopology makes a topology by name, v4:8x8x16. Options are the plugin's own; libtpu takes
// chip_config_name, a string, and wrap, three numbers.
func (p *Plugin) NewTopology(name string, options ...Attribute) (*Topology, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	list, count, err := writeAttributes(&pin, options)
	if err != nil {
		return nil, err
	}
	args := struct {
		header
		name     *byte
		nameSize uintptr
		options  unsafe.Pointer
		count    uintptr
		topology uintptr
	}{options: list, count: count}
	args.name, args.nameSize = pinText(&pin, name)
	if err := call(p, slotTopologyCreate, &args); err != nil {
		return nil, err
	}
	t := &Topology{p, newHandle(p, nil, args.topology, slotTopologyDestroy)}
	closeForgotten(t, t.h)
	return t, nil
}

// Close frees the topology.
func (t *Topology) Close() error { return t.h.close() }

// Chip is a device of a topology.
type Chip struct {
	ID     int
	Kind   string // TPU v4
	Coords []int  // place in the torus; nil where the plugin does not tell
}

// Chips lists the devices, in the topology's order.
func (t *Topology) Chips() ([]Chip, error) {
	topology, err := t.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	defer t.h.release()
	args := struct {
		header
		topology uintptr
		list     *uintptr
		count    uintptr
	}{topology: topology}
	if err := call(t.plugin, slotTopologyDevices, &args); err != nil {
		return nil, err
	}
	chips := make([]Chip, 0, args.count)
	for _, description := range unsafe.Slice(args.list, args.count) {
		c, err := t.plugin.chip(description)
		if err != nil {
			return nil, err
		}
		chips = append(chips, c)
	}
	return chips, nil
}

func (p *Plugin) chip(description uintptr) (Chip, error) {
	d, err := p.describeDevice(description)
	if err != nil {
		return Chip{}, err
	}
	args := struct {
		header
		description uintptr
		count       uintptr
		list        unsafe.Pointer
	}{description: description}
	if err := call(p, slotDescriptionAttrs, &args); err != nil {
		return Chip{}, err
	}
	c := Chip{ID: d.ID, Kind: d.Kind}
	for _, a := range readAttributes(args.list, args.count) {
		if list, ok := a.Value.([]int64); ok && a.Name == "coords" {
			for _, x := range list {
				c.Coords = append(c.Coords, int(x))
			}
		}
	}
	return c, nil
}

// Compile compiles StableHLO text ahead of time.
func (t *Topology) Compile(code []byte, o CompileOptions) (*Executable, error) {
	options, err := o.Encode()
	if err != nil {
		return nil, err
	}
	if len(code) == 0 {
		return nil, errEmpty
	}
	topology, err := t.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	defer t.h.release()
	var pin runtime.Pinner
	defer pin.Unpin()
	args := struct {
		header
		topology    uintptr
		program     *program
		options     *byte
		optionsSize uintptr
		client      uintptr
		executable  uintptr
	}{topology: topology, program: pinProgram(&pin, code), options: pinBytes(&pin, options), optionsSize: uintptr(len(options))}
	if err := call(t.plugin, slotTopologyCompile, &args); err != nil {
		return nil, err
	}
	return newExecutable(t.plugin, t.h, args.executable), nil
}
