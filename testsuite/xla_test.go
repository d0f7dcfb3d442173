package testsuite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"vitc/codegen"
	"vitc/driver"
	"vitc/ir"
	"vitc/runtime/pjrt"
)

// skipWithoutXLA skips a test where no PJRT plugin for the CPU is installed.
func skipWithoutXLA(t *testing.T) {
	t.Helper()
	_, err := pjrt.Find(pjrt.CPU)
	var none *pjrt.NotFoundError
	if errors.As(err, &none) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// built opens a program of a file for a target, its state initialised.
func built(t *testing.T, file, target string) (codegen.Machine, *ir.Program) {
	t.Helper()
	p, _, err := driver.Load(driver.NewSources(), driver.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := driver.ChooseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	b, err := driver.Build(context.Background(), p, row, driver.MachineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.Open(driver.MachineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if _, err := m.Call(context.Background(), "init", map[string][]byte{"seed": {3, 0, 0, 0, 0, 0, 0, 0}}); err != nil {
		t.Fatal(err)
	}
	return m, p
}

// batchOf makes the inputs of a step: bytes of a fixed pattern.
func batchOf(p *ir.Program, step int) map[string][]byte {
	f := p.Module.Func("step")
	inputs := map[string][]byte{}
	for i, a := range f.Args {
		if a.Role != ir.RoleInput {
			continue
		}
		switch typ := f.Body.Params[i].Type; {
		case a.Name == "steps":
			inputs[a.Name] = binary.LittleEndian.AppendUint32(nil, math.Float32bits(12))
		case typ.DType == ir.I32:
			for k := range typ.Size() {
				inputs[a.Name] = binary.LittleEndian.AppendUint32(inputs[a.Name], uint32(k+step)%4)
			}
		default:
			data := make([]byte, typ.Bytes())
			for k := range data {
				data[k] = byte((k + 1) * (k%(7+step) + 3))
			}
			inputs[a.Name] = data
		}
	}
	return inputs
}

// lossesOf runs steps and gives their losses.
func lossesOf(t *testing.T, m codegen.Machine, p *ir.Program, from, to int) []float64 {
	t.Helper()
	var losses []float64
	for step := from; step < to; step++ {
		out, err := m.Call(context.Background(), "step", batchOf(p, step))
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, float64(math.Float32frombits(binary.LittleEndian.Uint32(out[0].Data))))
	}
	return losses
}

// XLA trains as the interpreter does: rounding differs, which ten steps with a small rate blow up
// to less than 10⁻⁴ of the loss.
func TestXLATrains(t *testing.T) {
	skipWithoutXLA(t)
	file := filepath.Join("testdata", "tiny.vit")
	refMachine, p := built(t, file, "ref")
	xlaMachine, q := built(t, file, "xla")
	want, got := lossesOf(t, refMachine, p, 0, 10), lossesOf(t, xlaMachine, q, 0, 10)
	for i, w := range want {
		if math.Abs(got[i]-w) > 1e-4*math.Abs(w) {
			t.Errorf("step %d: XLA's loss is %g, the interpreter's %g", i+1, got[i], w)
		}
	}
}

// State that is read out of one machine and set in another goes on to the same bits: what
// checkpoints do.
func TestXLAResumes(t *testing.T) {
	skipWithoutXLA(t)
	file := filepath.Join("testdata", "tiny.vit")
	m, p := built(t, file, "xla")
	lossesOf(t, m, p, 0, 3)
	other, _ := built(t, file, "xla")
	copyState(t, p, m, other)
	lossesOf(t, m, p, 3, 6)
	lossesOf(t, other, p, 3, 6)
	for _, l := range p.State {
		if !bytes.Equal(leafOf(t, m, l.Name), leafOf(t, other, l.Name)) {
			t.Errorf("%s differs", l.Name)
		}
	}
}

func copyState(t *testing.T, p *ir.Program, from, to codegen.Machine) {
	t.Helper()
	for _, l := range p.State {
		if err := to.SetLeaf(l.Name, leafOf(t, from, l.Name)); err != nil {
			t.Fatal(err)
		}
	}
}

func leafOf(t *testing.T, m codegen.Machine, name string) []byte {
	t.Helper()
	b, err := m.Leaf(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is asked wrongly is an error that names what there is, and leaves the machine usable.
func TestXLARefuses(t *testing.T) {
	skipWithoutXLA(t)
	m, p := built(t, filepath.Join("testdata", "tiny.vit"), "xla")
	before := leafOf(t, m, "t")
	short := batchOf(p, 0)
	short["image"] = short["image"][1:]
	less := batchOf(p, 0)
	delete(less, "label")
	more := batchOf(p, 0)
	more["extra"] = nil
	for name, inputs := range map[string]map[string][]byte{"short": short, "less": less, "more": more} {
		if _, err := m.Call(context.Background(), "step", inputs); err == nil {
			t.Errorf("%s: a step with bad inputs ran", name)
		}
	}
	if _, err := m.Call(context.Background(), "stop", nil); err == nil {
		t.Error("a function that is not there ran")
	}
	if err := m.SetLeaf("t", []byte{1}); err == nil {
		t.Error("a leaf took one byte of four")
	}
	if _, err := m.Leaf("nothing"); err == nil {
		t.Error("a leaf that is not there was read")
	}
	if !bytes.Equal(before, leafOf(t, m, "t")) {
		t.Error("calls that were refused changed the state")
	}
	lossesOf(t, m, p, 0, 1)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Leaf("t"); err == nil {
		t.Error("a closed machine was read")
	}
}
