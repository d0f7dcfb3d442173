package native

import (
	"fmt"

	"vitc/runtime/layout"
)

// A process that holds some devices of a mesh needs only their parts of an input, and has only
// their parts of the state. The machine implements layout.Machine for those who know of that.

// argument is how the devices hold an argument, and which of its rows those here need.
type argument struct {
	layout.Layout
	from, to int // along the first dim; 0 and 0 of one without dims
}

// share settles which rows of every argument the devices here need.
func (m *machine) share() {
	for _, args := range m.args { // in any order: each is settled alone
		for i := range args {
			if a := &args[i]; a.Whole.Rank() > 0 {
				a.from, a.to = a.Window(m.Devices())
			}
		}
	}
}

// bytes is the size of the rows that are needed.
func (a *argument) bytes() int {
	if a.Whole.Rank() == 0 {
		return a.Whole.Bytes()
	}
	return a.Whole.Bytes() / a.Whole.Dims[0].Size * (a.to - a.from)
}

// fits reports whether data may be the argument: all of it, or the rows that are needed.
func (a *argument) fits(bytes int) bool { return bytes == a.Whole.Bytes() || bytes == a.bytes() }

// take copies a device's part.
func (a *argument) take(device int, data, part []byte) {
	if len(data) == a.Whole.Bytes() {
		a.Take(device, data, part)
		return
	}
	a.TakeRows(device, data, a.from, part)
}

// Devices implements layout.Machine.
func (m *machine) Devices() []int {
	list := make([]int, len(m.devices))
	for i, d := range m.devices {
		list[i] = d.number
	}
	return list
}

// Rows implements layout.Machine.
func (m *machine) Rows(fn, input string) (from, to int) {
	args := m.args[fn]
	for i := range args {
		if m.devices[0].funcs[fn].Args[i].Name == input {
			return args[i].from, args[i].to
		}
	}
	return 0, 0
}

// LeafLayout implements layout.Machine.
func (m *machine) LeafLayout(name string) (layout.Layout, error) { return m.leaf(name) }

// LeafPart implements layout.Machine.
func (m *machine) LeafPart(name string, device int) ([]byte, error) {
	_, err := m.leaf(name)
	if err != nil {
		return nil, err
	}
	d, err := m.device(device)
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), d.leaves[name].mem...), nil
}

// SetLeafPart implements layout.Machine.
func (m *machine) SetLeafPart(name string, device int, data []byte) error {
	l, err := m.leaf(name)
	if err != nil {
		return err
	}
	d, err := m.device(device)
	if err != nil {
		return err
	}
	if len(data) != l.Local.Bytes() {
		return fmt.Errorf("leaf %s is given %d bytes on a device: expected %d, of %s", name, len(data), l.Local.Bytes(), l.Local)
	}
	copy(d.leaves[name].mem, data)
	return nil
}

func (m *machine) device(number int) (*device, error) {
	for _, d := range m.devices {
		if d.number == number {
			return d, nil
		}
	}
	return nil, fmt.Errorf("device %d is not here", number)
}
