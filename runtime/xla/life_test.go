package xla

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vitc/runtime/pjrt"
)

// status reads a number from what Linux tells of this process: VmRSS in KiB, Threads.
func status(t *testing.T, name string) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("needs Linux: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+name+":")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Thousands of steps, on one device and on a mesh, leave no objects behind, and no memory but what
// allocators keep: a leaked copy of the weights a step would be 300 MiB and more.
func TestThousandsOfSteps(t *testing.T) {
	for _, c := range []struct {
		plan  string
		steps int
	}{{"", 5000}, {"mesh a:4\nbatch: a\nparams.row: a", 1200}} {
		m := opened(t, sized("256", "256"), c.plan, 0)
		x := map[string][]byte{"x": floats(16 * 256)}
		run := func(steps int) {
			for range steps {
				call(t, m, "step", x)
			}
		}
		run(200)
		live, before := m.client.Live(), status(t, "VmRSS")
		run(c.steps)
		grown := status(t, "VmRSS") - before
		t.Logf("%d steps on %d devices: memory grew by %d KiB", c.steps, m.devices(), grown)
		if grown > 64<<10 {
			t.Errorf("memory grew by %d KiB in %d steps on %d devices", grown, c.steps, m.devices())
		}
		if n := m.client.Live(); n != live {
			t.Errorf("the client has %d objects, %d after the first steps", n, live)
		}
	}
}

// Machines of their own work at the same time, while the garbage collector runs, and compute the
// same bytes.
func TestMachinesAtTheSameTime(t *testing.T) {
	machines := make([]*machine, 4)
	for i := range machines {
		machines[i] = opened(t, sized("16", "8"), "mesh a:2\nbatch: a\nparams.row: a", 0)
	}
	done := make(chan struct{})
	var collecting, working sync.WaitGroup
	collecting.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	})
	x := map[string][]byte{"x": floats(16 * 16)}
	for _, m := range machines {
		working.Go(func() {
			for range 100 {
				if _, err := m.Call(t.Context(), "step", x); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
	close(done)
	collecting.Wait()
	want := leafOf(t, machines[0], "net.w")
	for i, m := range machines[1:] {
		if !bytes.Equal(leafOf(t, m, "net.w"), want) {
			t.Errorf("machine %d has other weights", i+1)
		}
	}
}

// What a forgotten machine held is freed by the garbage collector.
func TestForgottenMachine(t *testing.T) {
	client := forget(t)
	for deadline := time.Now().Add(30 * time.Second); client.Live() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d objects of a forgotten machine's client are left", client.Live())
		}
		runtime.GC()
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
}

// forget opens and uses a machine, and keeps nothing but its client.
func forget(t *testing.T) *pjrt.Client {
	t.Helper()
	skipWithout(t)
	m, err := Open(programOf(t, sized("8", "4"), ""), Options{Plugin: pjrt.CPU})
	if err != nil {
		t.Fatal(err)
	}
	call(t, m, "init", seed)
	call(t, m, "step", map[string][]byte{"x": floats(16 * 8)})
	return m.(*machine).client
}

// The number of threads that is asked for is that of XLA's pools, holds for one machine, and
// changes no bit, long sums included; a mesh has a thread a device at least.
func TestThreads(t *testing.T) {
	for _, c := range []struct{ rows, plan string }{{"64", ""}, {"65536", ""}, {"64", "mesh a:8\nbatch: a"}} {
		rows, err := strconv.Atoi(c.rows)
		if err != nil {
			t.Fatal(err)
		}
		x := map[string][]byte{"x": floats(16 * rows)}
		var first []byte
		started := map[int]int{}
		for _, n := range []int{1, 3, 16} {
			before := status(t, "Threads")
			m := opened(t, sized(c.rows, "16"), c.plan, n)
			started[n] = status(t, "Threads") - before
			if err := m.SetLeaf("net.w", floats(rows*16)); err != nil {
				t.Fatal(err)
			}
			got := call(t, m, "step", x)[1].Data
			if first == nil {
				first = got
			}
			if !bytes.Equal(got, first) {
				t.Errorf("%v: other bits with %d threads", c, n)
			}
		}
		if started[16] <= started[3] || c.plan == "" && started[3] <= started[1] {
			t.Errorf("%v: threads started by number asked for: %v", c, started)
		}
	}
	if v, set := os.LookupEnv(poolSize); set {
		t.Errorf("%s=%s is left in the environment", poolSize, v)
	}
}
