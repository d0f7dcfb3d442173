package pjrt

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Client is a connection to the devices of a plugin.
type Client struct {
	plugin  *Plugin
	h       *handle
	devices []Device

	Platform string // cpu, cuda, tpu
	Version  string // as the platform prints it
}

// Device is a device of a client, which it must not outlive.
type Device struct {
	ID     int
	Kind   string // cpu, TPU v4
	object uintptr
}

// NewClient connects to the plugin's devices. Options are the plugin's own; XLA:CPU takes
// cpu_device_count, an int64.
func (p *Plugin) NewClient(options ...Attribute) (*Client, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	list, count, err := writeAttributes(&pin, options)
	if err != nil {
		return nil, err
	}
	args := struct {
		header
		options unsafe.Pointer
		count   uintptr
		store   [4]uintptr // callbacks of a key-value store between processes, and their arguments
		client  uintptr
		tryGet  [2]uintptr
	}{options: list, count: count}
	if err := call(p, slotClientCreate, &args); err != nil {
		return nil, err
	}
	c := &Client{plugin: p, h: newHandle(p, nil, args.client, slotClientDestroy)}
	closeForgotten(c, c.h)
	if err := c.describe(args.client); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) describe(client uintptr) (err error) {
	if c.Platform, err = text(c.plugin, slotClientPlatform, client); err != nil {
		return err
	}
	if c.Version, err = text(c.plugin, slotClientVersion, client); err != nil {
		return err
	}
	args := struct {
		header
		client uintptr
		list   *uintptr
		count  uintptr
	}{client: client}
	if err := call(c.plugin, slotAddressableDevices, &args); err != nil {
		return err
	}
	for _, object := range unsafe.Slice(args.list, args.count) {
		d, err := c.plugin.device(object)
		if err != nil {
			return err
		}
		c.devices = append(c.devices, d)
	}
	return nil
}

func (p *Plugin) device(object uintptr) (Device, error) {
	args := struct {
		header
		device      uintptr
		description uintptr
	}{device: object}
	if err := call(p, slotDeviceDescription, &args); err != nil {
		return Device{}, err
	}
	d, err := p.describeDevice(args.description)
	d.object = object
	return d, err
}

// describeDevice reads a device's description.
func (p *Plugin) describeDevice(description uintptr) (Device, error) {
	kind, err := text(p, slotDescriptionKind, description)
	if err != nil {
		return Device{}, err
	}
	id := struct {
		header
		description uintptr
		id          int32
	}{description: description}
	err = call(p, slotDescriptionID, &id)
	return Device{ID: int(id.id), Kind: kind}, err
}

// Devices lists the devices, in the order of the client's.
func (c *Client) Devices() []Device { return c.devices }

// Live is the number of buffers and executables of the client that exist, and of calls under
// way.
func (c *Client) Live() int { return c.h.live() }

// Close disconnects once the last buffer and executable is closed.
func (c *Client) Close() error { return c.h.close() }

// MemoryInUse is the number of bytes allocated on a device. Not every plugin counts them.
func (c *Client) MemoryInUse(d Device) (int64, error) {
	if _, err := c.h.acquire(); err != nil {
		return 0, fmt.Errorf("client: %w", err)
	}
	defer c.h.release()
	args := struct {
		header
		device uintptr
		inUse  int64
		rest   [20]int64 // peak, allocations, limits: each a number and whether it is set
	}{device: d.object}
	err := call(c.plugin, slotDeviceMemoryStats, &args)
	return args.inUse, err
}
