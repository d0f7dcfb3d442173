package native_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/ir/irtest"
	"vitc/passes"
	"vitc/runtime/dist"
	"vitc/runtime/native"
)

// inTwo is a scheduled program for four devices that starts a collective twice, works, and waits for
// both the other way round.
func inTwo(t *testing.T, row, attrs, ty string) *ir.Module {
	t.Helper()
	text := `ir partitioned mesh(x:2, y:2)
func @f(%v: f32[a:2, b:2]{?x, ?y} input="v") -> (TY output="y") {
  %s: ~TY = ROW_start %v ATTRS
  %n: f32[a:2, b:2]{?x, ?y} = mul %v, 3
  %t: ~TY = ROW_start %n ATTRS
  %w: f32[a:2, b:2]{?x, ?y} = exp %v
  %m: f32[a:2, b:2]{?x, ?y} = all_reduce %w over=x kind=max
  %q: TY = ROW_done %t
  %r: TY = ROW_done %s
  %d: TY = sub %q, %r
  %k: f32[] = reduce %m [ab->] kind=min
  %y: TY = add %d, %k
  yield %y
}`
	text = strings.NewReplacer("TY", ty+"{?x, ?y}", "ROW", row, "ATTRS", attrs).Replace(text)
	m, err := ir.Parse(strings.Replace(text, "%k: f32[]", "%k: f32[]{?x, ?y}", 1))
	if err == nil {
		err = passes.Run(m, []string{"fuse", "memory"}, passes.Options{})
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

// late delays what is exchanged beside kernels by a moment of its own each time.
type late struct {
	dist.Transport
	mu  sync.Mutex
	rnd *rand.Rand
}

func (l *late) Exchange(ctx context.Context, sends, recvs []dist.Message) error {
	l.mu.Lock()
	wait := time.Duration(l.rnd.IntN(300)) * time.Microsecond
	l.mu.Unlock()
	if dist.BesideWork(sends, recvs) {
		time.Sleep(wait)
	}
	return l.Transport.Exchange(ctx, sends, recvs)
}

// lateMemory is a group of n ranks whose messages come late.
func lateMemory(n int, seed uint64) []dist.Transport {
	ends := dist.Memory(n)
	for i := range ends {
		ends[i] = &late{Transport: ends[i], rnd: rand.New(rand.NewPCG(seed, uint64(i)))}
	}
	return ends
}

// Every collective that was started gives what the mesh interpreter gives, with another one of its row
// and one in one under way, whenever messages come.
func TestStartedCollectives(t *testing.T) {
	for _, c := range [][3]string{
		{"all_gather", "dim=0 over=y", "f32[a:4, b:2]"},
		{"all_gather", "dim=1 over=(y, x)", "f32[a:2, b:8]"},
		{"all_reduce", "over=(x, y) kind=sum", "f32[a:2, b:2]"},
		{"reduce_scatter", "dim=0 over=y", "f32[a:1, b:2]"},
		{"all_to_all", "dim=0 to=1 over=x", "f32[a:4, b:1]"},
		{"permute", "over=(x, y) step=1", "f32[a:2, b:2]"},
	} {
		m := inTwo(t, c[0], c[1], c[2])
		args := make([][]*interp.Tensor, 4)
		inputs := make([][]byte, 4)
		for d := range args {
			x := &interp.Tensor{Type: m.Funcs[0].Body.Params[0].Type, F: []float64{float64(d), 1.5, -float64(d), 2}}
			args[d], inputs[d] = []*interp.Tensor{x}, x.Bytes()
		}
		want, err := interp.RunMesh(m.Mesh, m.Funcs[0], args, interp.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := compile(t, m, cpu.Baseline)
		ends := lateMemory(4, 1)
		var wg sync.WaitGroup
		for d, end := range ends {
			mach, err := native.Open(b, native.Options{Threads: 1, Ranks: []dist.Transport{end}})
			if err != nil {
				t.Fatal(err)
			}
			defer mach.Close()
			wg.Go(func() {
				for range 5 {
					got, err := mach.Call(context.Background(), "f", map[string][]byte{"v": inputs[d]})
					if err != nil {
						t.Errorf("%v: device %d: %v", c, d, err)
						return
					}
					x, err := interp.FromBytes(want[d][0].Type, got[0].Data)
					if err != nil {
						t.Error(err)
						return
					}
					for k, w := range want[d][0].F {
						if g := x.F[k]; !(g-w < 1e-5 && w-g < 1e-5) {
							t.Errorf("%v: device %d has %v, expected %v", c, d, x.F, want[d][0].F)
							return
						}
					}
				}
			})
		}
		wg.Wait()
	}
}

// layouts of a small ViT on 2, 4 and 8 devices.
var layouts = []string{
	"mesh data:2\nbatch: data\nparams.width: data\nparams.mlp: data",
	"mesh model:4\nmlp: model\nhead: model\nwidth: model\ntoken: model",
	"mesh data:4 model:2\nbatch: data\nmlp: model\nhead: model\nparams.width: data",
}

// A ViT's step with every collective started early, rings and exchanges included, is the step with none
// started, to the last bit, whenever messages come and whatever threads there are.
func TestAsynchronousStep(t *testing.T) {
	c := irtest.ViT{Batch: 16, Tokens: 4, Patch: 2, Width: 8, Heads: 4, Depth: 2, Classes: 6}
	for _, layout := range layouts {
		plan, err := irtest.Plan(layout)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for _, names := range [][]string{{"overlap", "fuse", "memory"}, {"overlap", "fuse", "asynchronous", "memory"}} {
			m := c.Step()
			whole := *m.Funcs[0]
			args := stepArgs(whole.Body.Params, c.Classes)
			names = append([]string{"simplify", "micro", "autodiff", "simplify", "precision", "simplify", "propagate", "partition", "collectives"}, names...)
			if err := passes.Run(m, names, passes.Options{Config: passes.Config{Plan: plan, Eager: true}}); err != nil {
				t.Fatalf("%v\n%s", err, layout)
			}
			b := compile(t, m, cpu.Detect().Level)
			for seed := range uint64(3) {
				mach, err := native.Open(b, native.Options{Threads: 1 + 8*int(seed), Ranks: lateMemory(m.Mesh.Devices(), seed)})
				if err != nil {
					t.Fatal(err)
				}
				got := onWhole(t, mach, &whole, args)
				mach.Close()
				if want == nil {
					want = got
				}
				for k := range got {
					if !bytes.Equal(got[k], want[k]) {
						t.Errorf("%s\n%v: result %d differs, seed %d", layout, names, k+1, seed)
					}
				}
			}
		}
	}
}

// stepArgs draws a step's arguments.
func stepArgs(params []*ir.Value, classes int) (args []*interp.Tensor) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, p := range params {
		x := interp.New(p.Type)
		for k := range x.F {
			if x.F[k] = x.Type.DType.Round(0.1 * r.NormFloat64()); x.Type.DType == ir.I32 {
				x.F[k] = float64(k % classes)
			}
		}
		args = append(args, x)
	}
	return args
}

// Wherever a device fails between a start and its done, its error is the call's, the others stop, and
// nothing is under way any more: the machine can be closed.
func TestStartedFails(t *testing.T) {
	b := compile(t, inTwo(t, "all_reduce", "over=(x, y) kind=sum", "f32[a:2, b:2]"), cpu.Baseline)
	for device := range 4 {
		for after := range 3 {
			ends := lateMemory(4, uint64(after))
			ends[device] = &frail{Transport: ends[device], left: after}
			m, err := native.Open(b, native.Options{Threads: 2, Ranks: ends})
			if err != nil {
				t.Fatal(err)
			}
			within(t, func() { _, err = m.Call(context.Background(), "f", map[string][]byte{"v": floats(1, 2, 3, 4)}) })
			if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), fmt.Sprintf("device %d", device)) {
				t.Errorf("device %d after %d exchanges: %v", device, after, err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A device that waits for what it has started gives up with its context.
func TestStartedAlone(t *testing.T) {
	givesUpAlone(t, inTwo(t, "permute", "over=x step=1", "f32[a:2, b:2]"), 1)
}

// distant is an end of a transport whose links carry a gigabyte a second.
type distant struct{ dist.Transport }

func (d *distant) Exchange(ctx context.Context, sends, recvs []dist.Message) error {
	bytes := 0
	for _, m := range recvs {
		bytes += len(m.Data)
	}
	time.Sleep(50*time.Microsecond + time.Duration(bytes)*time.Nanosecond)
	return d.Transport.Exchange(ctx, sends, recvs)
}

// BenchmarkAsynchronous is a fully sharded step on four virtual devices of a thread each, over links of
// a gigabyte a second: with every collective in one, and with those started early that the model finds
// worth it. The loops keep their collectives, as those of larger models do.
func BenchmarkAsynchronous(b *testing.B) {
	c := irtest.ViT{Batch: 16, Tokens: 16, Patch: 48, Width: 256, Heads: 4, Depth: 4, Classes: 10}
	plan, err := irtest.Plan("mesh data:4\nbatch: data\nparams.width: data\nparams.mlp: data")
	if err != nil {
		b.Fatal(err)
	}
	plan.Devices = ir.Devices{Platform: "cpu", Chip: "cpu", Shape: []int{4}}
	for _, last := range [][]string{{"memory"}, {"asynchronous", "memory"}} {
		m := c.Step()
		whole := *m.Funcs[0]
		names := []string{"simplify", "micro", "autodiff", "simplify", "precision", "simplify", "propagate", "partition", "fuse"}
		names = append(names, last...)
		if err := passes.Run(m, names, passes.Options{Config: passes.Config{Plan: plan}}); err != nil {
			b.Fatal(err)
		}
		ends := dist.Memory(4)
		for i := range ends {
			ends[i] = &distant{ends[i]}
		}
		b.Run(last[0], func(b *testing.B) {
			mach, err := native.Open(compile(b, m, cpu.Detect().Level), native.Options{Threads: 4, Ranks: ends})
			if err != nil {
				b.Fatal(err)
			}
			defer mach.Close()
			args := stepArgs(whole.Body.Params, c.Classes)
			for b.Loop() {
				onWhole(b, mach, &whole, args)
			}
			b.ReportMetric(float64(strings.Count(m.String(), "_start ")), "starts")
		})
	}
}
