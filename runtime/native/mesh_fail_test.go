package native_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/runtime/dist"
	"vitc/runtime/native"
)

// frail is an end of a transport that breaks at some exchange.
type frail struct {
	dist.Transport
	mu   sync.Mutex
	left int // exchanges until then
}

var errBroken = errors.New("the cable is broken")

func (f *frail) Exchange(ctx context.Context, sends, recvs []dist.Message) error {
	f.mu.Lock()
	f.left--
	broken := f.left < 0
	f.mu.Unlock()
	if broken {
		return errBroken
	}
	return f.Transport.Exchange(ctx, sends, recvs)
}

// meshSum is a scheduled program of two sums over four devices.
const meshSum = "%w: f32[a:2, b:2] = all_reduce %v over=(x, y) kind=sum\n%y: f32[a:2, b:2] = all_reduce %w over=x kind=sum"

// within fails the test where something hangs.
func within(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { do(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("hangs")
	}
}

// Wherever one of the devices fails, its error is the call's, the others stop, and the machine says
// from then on that its state is lost.
func TestMeshDeviceFails(t *testing.T) {
	b := compile(t, collective(t, meshSum), cpu.Baseline)
	v := map[string][]byte{"v": floats(1, 2, 3, 4)}
	for device := range 4 {
		for after := range 2 {
			ends := dist.Memory(4)
			ends[device] = &frail{Transport: ends[device], left: after}
			m, err := native.Open(b, native.Options{Threads: 2, Ranks: ends})
			if err != nil {
				t.Fatal(err)
			}
			within(t, func() { _, err = m.Call(context.Background(), "f", v) })
			if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), fmt.Sprintf("device %d", device)) || strings.Contains(err.Error(), "rank") {
				t.Errorf("device %d after %d exchanges: %v", device, after, err)
			}
			if _, err := m.Call(context.Background(), "f", v); err == nil || !strings.Contains(err.Error(), "state was lost") || !errors.Is(err, errBroken) {
				t.Errorf("called again: %v", err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A device whose companions never come gives up with its context.
func TestMeshAlone(t *testing.T) { givesUpAlone(t, collective(t, meshSum), 2) }

// givesUpAlone calls a module as one rank of four that has no companions.
func givesUpAlone(t *testing.T, m *ir.Module, rank int) {
	t.Helper()
	alone, err := native.Open(compile(t, m, cpu.Baseline), native.Options{Threads: 1, Ranks: dist.Memory(4)[rank : rank+1]})
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	tired := errors.New("tired of waiting")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Millisecond, tired)
	defer cancel()
	within(t, func() { _, err = alone.Call(ctx, "f", map[string][]byte{"v": floats(1, 2, 3, 4)}) })
	if !errors.Is(err, tired) {
		t.Errorf("got %v", err)
	}
}

func TestMeshErrors(t *testing.T) {
	many, one := compile(t, collective(t, meshSum), cpu.Baseline), compile(t, scheduled(t, counter), cpu.Baseline)
	for _, c := range []struct {
		b    *codegen.Bundle
		want string
	}{{many, "4 devices, and 3 ranks"}, {one, "for one device, not for ranks"}} {
		if _, err := native.Open(c.b, native.Options{Ranks: dist.Memory(3)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, expected %q", err, c.want)
		}
	}
}
