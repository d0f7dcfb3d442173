package stablehlo_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"testing"

	"vitc/codegen/stablehlo"
	"vitc/ir"
	"vitc/ir/interp"
	"vitc/passes"
	"vitc/runtime/pjrt"
)

// devices are those of XLA:CPU in these tests.
const devices = 8

// flags let XLA:CPU hand NaN on through maxima and minima, as StableHLO says that it does.
var flags = []pjrt.Attribute{{Name: "xla_cpu_enable_fast_min_max", Value: false}}

var client = sync.OnceValues(func() (*pjrt.Client, error) {
	found, err := pjrt.Find(pjrt.CPU)
	if err != nil {
		return nil, err
	}
	os.Setenv("TF_CPP_MIN_LOG_LEVEL", "3")
	p, err := pjrt.Load(found.Path)
	if err != nil {
		return nil, err
	}
	return p.NewClient(pjrt.Attribute{Name: "cpu_device_count", Value: int64(devices)})
})

// xla is XLA:CPU, or skips the test where there is none.
func xla(t *testing.T) *pjrt.Client {
	t.Helper()
	c, err := client()
	var none *pjrt.NotFoundError
	if errors.As(err, &none) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// execute emits a function, compiles it by XLA:CPU and runs it; args holds each device's
// arguments, of the types they have there, and types are those of the results there.
func execute(c *pjrt.Client, f *ir.Func, o stablehlo.Options, args [][]*interp.Tensor, types []ir.Type) (out [][]*interp.Tensor, err error) {
	text, err := stablehlo.Emit(f, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, text)
		}
	}()
	l, err := c.Compile(text, pjrt.CompileOptions{Partitions: len(args), Shardy: o.Mode != stablehlo.Single, Flags: flags})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var in [][]*pjrt.Buffer
	defer func() { closeAll(in) }()
	for d, list := range args {
		in = append(in, nil)
		for _, x := range list {
			b, err := c.Upload(c.Devices()[d], x.Type, x.Bytes())
			if err != nil {
				return nil, err
			}
			in[d] = append(in[d], b)
		}
	}
	held, err := l.Execute(in, types)
	if err != nil {
		return nil, err
	}
	defer closeAll(held)
	return downloaded(held, types)
}

func closeAll(lists [][]*pjrt.Buffer) {
	for _, list := range lists {
		for _, b := range list {
			b.Close()
		}
	}
}

func downloaded(held [][]*pjrt.Buffer, types []ir.Type) (out [][]*interp.Tensor, err error) {
	for _, list := range held {
		var xs []*interp.Tensor
		for i, b := range list {
			data, err := b.Download()
			if err != nil {
				return nil, err
			}
			x, err := interp.FromBytes(types[i], data)
			if err != nil {
				return nil, err
			}
			xs = append(xs, x)
		}
		out = append(out, xs)
	}
	return out, nil
}

// alone runs a function on one device.
func alone(c *pjrt.Client, f *ir.Func, args []*interp.Tensor) ([]*interp.Tensor, error) {
	out, err := execute(c, f, stablehlo.Options{}, [][]*interp.Tensor{args}, typesOf(f.Body.Yield))
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

func typesOf(vs []*ir.Value) []ir.Type {
	ts := make([]ir.Type, len(vs))
	for i, v := range vs {
		ts[i] = v.Type
	}
	return ts
}

// far says where results differ by more than a part of the largest number of their tensor, or of
// 1; "" if they do not. Infinities and NaN must stand in the same places.
func far(want, got []*interp.Tensor, tolerance float64) string {
	for i := range want {
		scale := 1.0
		for _, w := range want[i].F {
			if a := math.Abs(w); a < math.Inf(1) {
				scale = max(scale, a)
			}
		}
		for k, w := range want[i].F {
			if g := got[i].F[k]; !(w == g || w != w && g != g || math.Abs(w-g) <= tolerance*scale) {
				return fmt.Sprintf("result %d [%d]: XLA gives %g, the interpreter %g", i+1, k, g, w)
			}
		}
	}
	return ""
}

// fataler is what the helpers need of *testing.T and *rapid.T.
type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func parsed(t fataler, text string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// through copies a module and takes it through passes.
func through(t fataler, m *ir.Module, c passes.Config, names ...string) *ir.Module {
	t.Helper()
	n := parsed(t, m.String())
	if err := passes.Run(n, names, passes.Options{Config: c}); err != nil {
		t.Fatalf("%v\n%s", err, m)
	}
	return n
}

func interpreted(t fataler, f *ir.Func, args []*interp.Tensor) []*interp.Tensor {
	t.Helper()
	out, err := interp.Run(f, args, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
