package pjrt

import (
	"fmt"
	"runtime"

	"vitc/ir"
)

// Buffer is a tensor on a device.
type Buffer struct {
	h    *handle
	Type ir.Type
}

// elementTypes are PJRT_Buffer_Type of the dtypes.
var elementTypes = map[ir.DType]int32{
	ir.Bool: 1, ir.I32: 4, ir.U8: 6, ir.U32: 8, ir.F16: 10, ir.F32: 11, ir.BF16: 13,
}

// untilTransfer lets the plugin read the host's memory until the copy is done.
const untilTransfer int32 = 1

// Upload copies a tensor, row-major, to a device. data may be used again when it returns.
func (c *Client) Upload(d Device, t ir.Type, data []byte) (*Buffer, error) {
	b, pending, err := c.StartUpload(d, t, data)
	if err != nil {
		return nil, err
	}
	if err := pending.Wait(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// StartUpload is Upload that does not wait: data must not change before pending is done.
func (c *Client) StartUpload(d Device, t ir.Type, data []byte) (*Buffer, *Pending, error) {
	kind, ok := elementTypes[t.DType]
	if !ok {
		return nil, nil, fmt.Errorf("a buffer of %s: no device has this dtype", t)
	}
	if len(data) != t.Bytes() {
		return nil, nil, fmt.Errorf("%d bytes for a buffer of %s: expected %d", len(data), t, t.Bytes())
	}
	client, err := c.h.acquire()
	if err != nil {
		return nil, nil, fmt.Errorf("client: %w", err)
	}
	defer c.h.release()
	var pin runtime.Pinner
	args := struct {
		header
		client         uintptr
		data           *byte
		kind           int32
		_              int32
		dims           *int64
		rank           uintptr
		strides        uintptr // none: row-major
		stridesCount   uintptr
		when           int32
		_              int32
		device         uintptr
		memory, layout uintptr
		doneWithHost   uintptr
		buffer         uintptr
	}{client: client, data: pinBytes(&pin, data), kind: kind, rank: uintptr(t.Rank()), when: untilTransfer, device: d.object}
	if t.Rank() > 0 {
		dims := shape64(t)
		pin.Pin(&dims[0])
		args.dims = &dims[0]
	}
	if err := call(c.plugin, slotBufferFromHost, &args); err != nil {
		pin.Unpin()
		return nil, nil, err
	}
	return c.newBuffer(args.buffer, t), c.plugin.pend([]uintptr{args.doneWithHost}, pin.Unpin), nil
}

func shape64(t ir.Type) []int64 {
	dims := make([]int64, t.Rank())
	for i, d := range t.Dims {
		dims[i] = int64(d.Size)
	}
	return dims
}

func (c *Client) newBuffer(object uintptr, t ir.Type) *Buffer {
	b := &Buffer{newHandle(c.plugin, c.h, object, slotBufferDestroy), t}
	closeForgotten(b, b.h)
	return b
}

// Download copies the tensor, row-major, to the host, once it is computed.
func (b *Buffer) Download() ([]byte, error) {
	data := make([]byte, b.Type.Bytes())
	pending, err := b.StartDownload(data)
	if err != nil {
		return nil, err
	}
	return data, pending.Wait()
}

// StartDownload is Download into data, which must have the tensor's size and holds it when
// pending is done.
func (b *Buffer) StartDownload(data []byte) (*Pending, error) {
	if len(data) != b.Type.Bytes() {
		return nil, fmt.Errorf("%d bytes for a tensor of %s: expected %d", len(data), b.Type, b.Type.Bytes())
	}
	buffer, err := b.h.acquire()
	if err != nil {
		return nil, fmt.Errorf("buffer: %w", err)
	}
	var pin runtime.Pinner
	args := struct {
		header
		buffer uintptr
		layout uintptr
		data   *byte
		size   uintptr
		event  uintptr
	}{buffer: buffer, data: pinBytes(&pin, data), size: uintptr(len(data))}
	after := func() {
		pin.Unpin()
		b.h.release()
	}
	if err := call(b.h.plugin, slotBufferToHost, &args); err != nil {
		after()
		return nil, err
	}
	return b.h.plugin.pend([]uintptr{args.event}, after), nil
}

// Donated reports whether an execution took the buffer's memory: it can only be closed then.
func (b *Buffer) Donated() (bool, error) {
	buffer, err := b.h.acquire()
	if err != nil {
		return false, fmt.Errorf("buffer: %w", err)
	}
	defer b.h.release()
	args := struct {
		header
		buffer  uintptr
		deleted bool
	}{buffer: buffer}
	err = call(b.h.plugin, slotBufferIsDeleted, &args)
	return args.deleted, err
}

// Close frees the buffer.
func (b *Buffer) Close() error { return b.h.close() }
