package pjrt

import (
	"runtime"
	"sync"
)

// handle owns an object of a plugin. It is destroyed when it has been closed and nobody uses
// it; what is made from an object uses it until it is destroyed itself.
type handle struct {
	plugin  *Plugin
	parent  *handle // nil: none
	destroy slot

	mu     sync.Mutex
	object uintptr
	users  int
	closed bool
}

// newHandle takes over an object of the plugin's. The parent must be in use by the caller.
func newHandle(p *Plugin, parent *handle, object uintptr, destroy slot) *handle {
	h := &handle{plugin: p, parent: parent, destroy: destroy, object: object}
	if parent != nil {
		parent.mu.Lock()
		parent.users++
		parent.mu.Unlock()
	}
	return h
}

// closeForgotten closes h once the garbage collector finds owner, which wraps it, forgotten.
func closeForgotten[T any](owner *T, h *handle) {
	runtime.AddCleanup(owner, func(h *handle) { h.close() }, h)
}

// acquire returns the object for use until release.
func (h *handle) acquire() (uintptr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, ErrClosed
	}
	h.users++
	return h.object, nil
}

// release ends a use.
func (h *handle) release() {
	h.mu.Lock()
	h.users--
	last := h.closed && h.users == 0
	h.mu.Unlock()
	if last {
		h.end() // nobody waits for the error of a late end
	}
}

// close lets the object be destroyed when nobody uses it any more, which may be now. Closing
// again does nothing.
func (h *handle) close() error {
	h.mu.Lock()
	was := h.closed
	h.closed = true
	last := !was && h.users == 0
	h.mu.Unlock()
	if last {
		return h.end()
	}
	return nil
}

func (h *handle) end() error {
	args := struct {
		header
		object uintptr
	}{object: h.object}
	err := call(h.plugin, h.destroy, &args)
	if h.parent != nil {
		h.parent.release()
	}
	return err
}

// live is the number of uses under way, objects made from this one included.
func (h *handle) live() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.users
}
