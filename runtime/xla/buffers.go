package xla

import (
	"errors"
	"fmt"

	"vitc/runtime/layout"
	"vitc/runtime/pjrt"
)

// upload hands every device its part of a tensor.
func (m *machine) upload(l layout.Layout, whole []byte) (buffers []*pjrt.Buffer, err error) {
	if len(whole) != l.Whole.Bytes() {
		return nil, fmt.Errorf("%d bytes for %s: expected %d", len(whole), l.Whole, l.Whole.Bytes())
	}
	for d := range m.devices() {
		b, err := m.client.Upload(m.client.Devices()[d], l.Local, l.Part(d, whole))
		if err != nil {
			closeAll([][]*pjrt.Buffer{buffers})
			return nil, err
		}
		buffers = append(buffers, b)
	}
	return buffers, nil
}

// download puts a tensor together from what the devices hold; one that is whole everywhere is
// the first device's.
func download(l layout.Layout, buffers []*pjrt.Buffer) ([]byte, error) {
	if !l.Cut() {
		return buffers[0].Download()
	}
	whole := make([]byte, l.Whole.Bytes())
	for d, b := range buffers {
		part, err := b.Download()
		if err != nil {
			return nil, err
		}
		l.Put(d, whole, part)
	}
	return whole, nil
}

func closeAll(lists [][]*pjrt.Buffer) error {
	var errs []error
	for _, list := range lists {
		for _, b := range list {
			errs = append(errs, b.Close())
		}
	}
	return errors.Join(errs...)
}
