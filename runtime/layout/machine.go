package layout

import "vitc/codegen"

// Machine is a codegen.Machine on devices of a mesh, of which this process may hold only some. All
// processes make the same calls in the same order. Results that are handed out are whole on every
// device.
type Machine interface {
	codegen.Machine
	// Devices lists the devices that are here.
	Devices() []int
	// Rows is the rows [from, to) of an input, along its first dim, that the devices here need. Call
	// takes these rows in place of the whole input. A name that is no input of the function has none.
	Rows(fn, input string) (from, to int)
	// LeafLayout is how the devices hold a state leaf or accumulator.
	LeafLayout(name string) (Layout, error)
	// LeafPart copies out the bytes that a device here holds of it, padding included.
	LeafPart(name string, device int) ([]byte, error)
	// SetLeafPart replaces them.
	SetLeafPart(name string, device int, data []byte) error
}
