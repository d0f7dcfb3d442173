package native

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"vitc/codegen"
	"vitc/runtime/dist"
)

// Call implements codegen.Machine. On one device a call that has begun runs to its end, as it
// changes the state in place: ctx is looked at before. On a mesh devices wait for one another
// while ctx lasts; when it ends, or a device fails, all stop and the state is lost.
func (m *machine) Call(ctx context.Context, fn string, inputs map[string][]byte) ([]codegen.Result, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if !slices.Contains(m.names, fn) {
		return nil, fmt.Errorf("the program has no function @%s; it has: %s", fn, strings.Join(m.names, ", "))
	}
	if err := m.fit(fn, inputs); err != nil {
		return nil, fmt.Errorf("@%s: %w", fn, err)
	}
	if err := m.run(ctx, fn, inputs); err != nil {
		m.broken = fmt.Errorf("the state was lost in a call that failed: @%s: %w", fn, err)
		return nil, fmt.Errorf("@%s: %w", fn, err)
	}
	return m.handOut(fn)
}

func (m *machine) usable() error {
	if m.closed {
		return errClosed
	}
	return m.broken
}

// fit checks that every input is there, of its size, and no other.
func (m *machine) fit(fn string, inputs map[string][]byte) error {
	var names []string
	for i, a := range m.devices[0].funcs[fn].Args {
		if held(a.Role) {
			continue
		}
		names = append(names, a.Name)
		arg := m.args[fn][i]
		data, ok := inputs[a.Name]
		if !ok {
			return fmt.Errorf("the input %s (%s) is missing", a.Name, arg.Whole)
		}
		if !arg.fits(len(data)) {
			return fmt.Errorf("the input %s has %d bytes: expected %d, of %s", a.Name, len(data), arg.Whole.Bytes(), arg.Whole)
		}
	}
	if len(inputs) > len(names) {
		return fmt.Errorf("%d inputs are given, it takes %d: %s", len(inputs), len(names), strings.Join(names, ", "))
	}
	return nil
}

// run executes a function on every device here. A device that fails stops the others, here and
// elsewhere, and its error is the call's.
func (m *machine) run(ctx context.Context, fn string, inputs map[string][]byte) error {
	defer runtime.KeepAlive(m)
	if len(m.devices) == 1 {
		return m.devices[0].run(ctx, fn, m.args[fn], inputs)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(m.devices))
	for i, d := range m.devices {
		wg.Go(func() { errs[i] = d.run(ctx, fn, m.args[fn], inputs) })
	}
	wg.Wait()
	return cause(errs)
}

// cause is the error of the device that failed by itself, and not for another's failing.
func cause(errs []error) error {
	var stopped *dist.AbortError
	for _, err := range errs {
		if err != nil && !errors.As(err, &stopped) {
			return err
		}
	}
	for _, err := range errs { // of another process's device
		if err != nil {
			return err
		}
	}
	return nil
}

// handOut puts the results that are not the machine's together.
func (m *machine) handOut(fn string) ([]codegen.Result, error) {
	var out []codegen.Result
	for i, r := range m.devices[0].funcs[fn].Results {
		if m.devices[0].funcs[fn].result(i) == nil {
			continue
		}
		l := m.results[fn][i]
		data, err := m.whole(l, func(d *device) []byte { return d.funcs[fn].result(i).mem })
		if err != nil {
			return nil, fmt.Errorf("@%s: %s: %w", fn, r.Name, err)
		}
		out = append(out, codegen.Result{Name: r.Name, Type: l.Whole, Data: data})
	}
	return out, nil
}
