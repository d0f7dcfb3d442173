package pjrt

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"vitc/ir"
)

// cpuPlugin loads XLA:CPU, or skips the test where there is none.
func cpuPlugin(t testing.TB) *Plugin {
	t.Helper()
	found, err := Find(CPU)
	var none *NotFoundError
	if errors.As(err, &none) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(found.Path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newClient(t testing.TB, devices int) *Client {
	t.Helper()
	os.Setenv("TF_CPP_MIN_LOG_LEVEL", "3")
	c, err := cpuPlugin(t).NewClient(Attribute{"cpu_device_count", int64(devices)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := c.Live(); n != 0 {
			t.Errorf("%d objects of the client are left", n)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// vector is the type of n numbers.
func vector(n int) ir.Type { return ir.T(ir.F32, ir.Dim{Label: "i", Size: n}) }

func bytesOf(xs ...float32) []byte {
	var b []byte
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func floatsOf(b []byte) []float32 {
	var xs []float32
	for ; len(b) > 0; b = b[4:] {
		xs = append(xs, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return xs
}

const addOne = `module @m {
  func.func public @main(%x: tensor<4xf32> {tf.aliasing_output = 0 : i32}, %y: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.add %x, %y : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`

func compile(t testing.TB, c *Client, text string, o CompileOptions) *Loaded {
	t.Helper()
	l, err := c.Compile([]byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func upload(t testing.TB, c *Client, device int, xs ...float32) *Buffer {
	t.Helper()
	b, err := c.Upload(c.Devices()[device], vector(len(xs)), bytesOf(xs...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExecuteDonates(t *testing.T) {
	c := newClient(t, 1)
	l := compile(t, c, addOne, CompileOptions{})
	x, y := upload(t, c, 0, 1, 2, 3, 4), upload(t, c, 0, 10, 20, 30, 40)
	out, err := l.Execute([][]*Buffer{{x, y}}, []ir.Type{vector(4)})
	if err != nil {
		t.Fatal(err)
	}
	data, err := out[0][0].Download()
	if err != nil {
		t.Fatal(err)
	}
	if got := floatsOf(data); got[0] != 11 || got[3] != 44 {
		t.Errorf("sum is %v", got)
	}
	for i, b := range []*Buffer{x, y} {
		gone, err := b.Donated()
		if err != nil || gone != (i == 0) {
			t.Errorf("argument %d donated: %v, %v", i, gone, err)
		}
	}
	if _, err := l.Execute([][]*Buffer{{x, y}}, []ir.Type{vector(4)}); err == nil {
		t.Error("a donated buffer is taken again")
	}
	for _, b := range []*Buffer{x, y, out[0][0]} {
		b.Close()
	}
	if _, err := y.Download(); !errors.Is(err, ErrClosed) {
		t.Errorf("download of a closed buffer: %v", err)
	}
}

const allReduce = `module @m {
  sdy.mesh @mesh = <["d"=8]>
  func.func public @main(%x: tensor<32xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"d"}]>}) -> (tensor<f32> {sdy.sharding = #sdy.sharding<@mesh, []>}) {
    %z = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = stablehlo.reduce(%x init: %z) applies stablehlo.add across dimensions = [0] : (tensor<32xf32>, tensor<f32>) -> tensor<f32>
    return %0 : tensor<f32>
  }
}`

func TestPartitionedOverEightDevices(t *testing.T) {
	c := newClient(t, 8)
	if len(c.Devices()) != 8 {
		t.Fatalf("%d devices", len(c.Devices()))
	}
	l := compile(t, c, allReduce, CompileOptions{Partitions: 8, Shardy: true, Assignment: []int{7, 6, 5, 4, 3, 2, 1, 0}})
	args := make([][]*Buffer, 8)
	for d := range args {
		b := upload(t, c, 7-d, float32(d), 1, 2, 3)
		defer b.Close()
		args[d] = []*Buffer{b}
	}
	out, err := l.Execute(args, []ir.Type{ir.T(ir.F32)})
	if err != nil {
		t.Fatal(err)
	}
	for d, list := range out {
		data, err := list[0].Download()
		if err != nil {
			t.Fatal(err)
		}
		if got := floatsOf(data)[0]; got != 28+8*6 {
			t.Errorf("sum on device %d is %v", d, got)
		}
		list[0].Close()
	}
}

func TestSerializedProgramsRunAgain(t *testing.T) {
	c := newClient(t, 1)
	l := compile(t, c, addOne, CompileOptions{})
	e, err := l.Executable()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	data, err := e.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	hlo, err := e.Optimized()
	if err != nil || len(hlo) < 100 {
		t.Errorf("%d bytes of optimized program, %v", len(hlo), err)
	}
	m, err := e.Memory()
	if err != nil || m.Arguments != 32 || m.Outputs != 16 || m.Aliased != 16 {
		t.Errorf("memory %+v, %v; want 32 bytes of arguments, 16 of results, in an argument's place", m, err)
	}
	again, err := c.Reload(data)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	x := upload(t, c, 0, 1, 2, 3, 4)
	defer x.Close()
	y := upload(t, c, 0, 1, 1, 1, 1)
	defer y.Close()
	out, err := again.Execute([][]*Buffer{{x, y}}, []ir.Type{vector(4)})
	if err != nil {
		t.Fatal(err)
	}
	defer out[0][0].Close()
	if data, err := out[0][0].Download(); err != nil || floatsOf(data)[3] != 5 {
		t.Errorf("%v, %v", floatsOf(data), err)
	}
	if _, err := c.Reload([]byte("no program")); err == nil {
		t.Error("garbage is reloaded")
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	c := newClient(t, 1)
	text := strings.Replace(addOne, "return", `%1 = stablehlo.reshape %x : (tensor<4xf32>) -> tensor<5xf32> loc("examples/fashion.vit":12:3)
    return`, 1)
	_, err := c.Compile([]byte(text), CompileOptions{})
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("compiling a wrong program: %v", err)
	}
	if p := e.Pos(); p.File != "examples/fashion.vit" || p.Line != 12 || p.Col != 3 {
		t.Errorf("position %v in %q", p, e.Msg)
	}
}

func TestWrongUsesAreErrors(t *testing.T) {
	c := newClient(t, 1)
	l := compile(t, c, addOne, CompileOptions{})
	x := upload(t, c, 0, 1, 2, 3, 4)
	defer x.Close()
	for name, use := range map[string]func() error{
		"too few arguments":   func() error { _, err := l.Execute([][]*Buffer{{x}}, []ir.Type{vector(4)}); return err },
		"too many results":    func() error { _, err := l.Execute([][]*Buffer{{x, x}}, make([]ir.Type, 3)); return err },
		"no device":           func() error { _, err := l.Execute(nil, []ir.Type{vector(4)}); return err },
		"too short data":      func() error { _, err := c.Upload(c.Devices()[0], vector(4), make([]byte, 15)); return err },
		"dtype of no machine": func() error { _, err := c.Upload(c.Devices()[0], ir.T(ir.Real), make([]byte, 4)); return err },
		"no program":          func() error { _, err := c.Compile(nil, CompileOptions{}); return err },
		"no StableHLO":        func() error { _, err := c.Compile([]byte("main"), CompileOptions{}); return err },
		"nothing to reload":   func() error { _, err := c.Reload(nil); return err },
		"wrong assignment":    func() error { _, err := c.Compile([]byte(addOne), CompileOptions{Assignment: []int{0, 1}}); return err },
		"option of no type":   func() error { _, err := c.plugin.NewClient(Attribute{"cpu_device_count", 1}); return err },
	} {
		if err := use(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestThousandsOfExecutions watches what is left behind: no object of the client, and no more
// memory than at the start but for what allocators keep.
func TestThousandsOfExecutions(t *testing.T) {
	c := newClient(t, 1)
	const n = 1 << 16 // 256 KiB a buffer: 4,000 leaked ones would be 1 GiB
	text := strings.ReplaceAll(addOne, "tensor<4xf32>", "tensor<65536xf32>")
	l := compile(t, c, text, CompileOptions{})
	data := make([]byte, 4*n)
	run := func(times int) {
		for range times {
			x, err := c.Upload(c.Devices()[0], vector(n), data)
			if err != nil {
				t.Fatal(err)
			}
			y, err := c.Upload(c.Devices()[0], vector(n), data)
			if err != nil {
				t.Fatal(err)
			}
			out, err := l.Execute([][]*Buffer{{x, y}}, []ir.Type{vector(n)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out[0][0].Download(); err != nil {
				t.Fatal(err)
			}
			x.Close()
			y.Close()
			out[0][0].Close()
		}
	}
	run(200)
	before := resident(t)
	run(4000)
	if grown := resident(t) - before; grown > 64<<20 {
		t.Errorf("memory grew by %d MiB in 4,000 executions", grown>>20)
	}
}

// TestConcurrentUse shares a program between goroutines that upload, run, download and close
// in different orders; with -race it also shows that nothing is unguarded.
func TestConcurrentUse(t *testing.T) {
	c := newClient(t, 2)
	l := compile(t, c, addOne, CompileOptions{})
	shared := upload(t, c, 0, 1, 1, 1, 1)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				x := upload(t, c, 0, float32(g), float32(i), 0, 0)
				out, pending, err := l.Start([][]*Buffer{{x, shared}}, []ir.Type{vector(4)})
				x.Close() // while it is used
				if err != nil {
					t.Error(err)
					return
				}
				data, err := out[0][0].Download()
				if got := floatsOf(data); err != nil || got[0] != float32(g)+1 || got[1] != float32(i)+1 {
					t.Errorf("%v, %v", got, err)
				}
				out[0][0].Close()
				if err := pending.Wait(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	shared.Close()
	shared.Close()
}
