package pjrt

import (
	"fmt"
	"runtime"
	"unsafe"

	"vitc/ir"
)

// executeOptions is PJRT_ExecuteOptions.
type executeOptions struct {
	_ header
	_ [4]uintptr // callbacks of sends and receives, and their counts
	_ int32      // the launch's number
	_ int32
	_ [2]uintptr // arguments that may not be donated though the program would, and their count
	_ uintptr    // context
	_ uintptr    // call location
	_ [3]uintptr // tasks of several processes
}

// Execute runs a program and waits until it is done. args holds, for every partition in order,
// the arguments; types are those of the results on a partition. Arguments that the program
// takes over (tf.aliasing_output) are donated: they can only be closed afterwards.
func (l *Loaded) Execute(args [][]*Buffer, types []ir.Type) ([][]*Buffer, error) {
	results, pending, err := l.Start(args, types)
	if err != nil {
		return nil, err
	}
	if err := pending.Wait(); err != nil {
		for _, list := range results {
			for _, b := range list {
				b.Close()
			}
		}
		return nil, err
	}
	return results, nil
}

// Start is Execute that does not wait: the results are buffers that will be filled when
// pending is done.
func (l *Loaded) Start(args [][]*Buffer, types []ir.Type) ([][]*Buffer, *Pending, error) {
	if len(types) != l.outputs {
		return nil, nil, fmt.Errorf("the program has %d results, %d were expected", l.outputs, len(types))
	}
	if len(args) == 0 {
		return nil, nil, fmt.Errorf("a program runs on one device at least")
	}
	loaded, err := l.h.acquire()
	if err != nil {
		return nil, nil, fmt.Errorf("program: %w", err)
	}
	defer l.h.release()
	var pin runtime.Pinner
	defer pin.Unpin()
	in, letGo, err := pinArguments(&pin, args)
	if err != nil {
		return nil, nil, err
	}
	defer letGo()
	out, objects := pinResults(&pin, len(args), len(types))
	events := make([]uintptr, len(args))
	pin.Pin(&events[0])
	options := &executeOptions{}
	setHeader(options)
	pin.Pin(options)
	request := struct {
		header
		loaded     uintptr
		options    *executeOptions
		arguments  *unsafe.Pointer
		devices    uintptr
		count      uintptr
		results    *unsafe.Pointer
		events     *uintptr
		onlyDevice uintptr
	}{loaded: loaded, options: options, arguments: &in[0], devices: uintptr(len(args)), count: uintptr(len(args[0])), results: &out[0], events: &events[0]}
	if err := call(l.h.plugin, slotExecute, &request); err != nil {
		return nil, nil, err
	}
	return l.results(objects, types), l.h.plugin.pend(events, func() {}), nil
}

// pinArguments makes the plugin's form of the arguments; letGo ends their use.
func pinArguments(pin *runtime.Pinner, args [][]*Buffer) (in []unsafe.Pointer, letGo func(), err error) {
	var used []*handle
	letGo = func() {
		for _, h := range used {
			h.release()
		}
	}
	in = make([]unsafe.Pointer, len(args))
	pin.Pin(&in[0])
	for d, list := range args {
		if len(list) != len(args[0]) {
			letGo()
			return nil, nil, fmt.Errorf("%d arguments for partition %d, %d for the first", len(list), d, len(args[0]))
		}
		if len(list) == 0 {
			continue
		}
		row := make([]uintptr, len(list))
		for i, b := range list {
			if row[i], err = b.h.acquire(); err != nil {
				letGo()
				return nil, nil, fmt.Errorf("argument %d: %w", i, err)
			}
			used = append(used, b.h)
		}
		pin.Pin(&row[0])
		in[d] = unsafe.Pointer(&row[0])
	}
	return in, letGo, nil
}

// pinResults makes room for the plugin to write the results' objects to.
func pinResults(pin *runtime.Pinner, devices, count int) ([]unsafe.Pointer, [][]uintptr) {
	out, objects := make([]unsafe.Pointer, devices), make([][]uintptr, devices)
	pin.Pin(&out[0])
	for d := range objects {
		objects[d] = make([]uintptr, max(count, 1))
		pin.Pin(&objects[d][0])
		out[d] = unsafe.Pointer(&objects[d][0])
		objects[d] = objects[d][:count]
	}
	return out, objects
}

func (l *Loaded) results(objects [][]uintptr, types []ir.Type) [][]*Buffer {
	out := make([][]*Buffer, len(objects))
	for d, list := range objects {
		for i, object := range list {
			out[d] = append(out[d], l.client.newBuffer(object, types[i]))
		}
	}
	return out
}
