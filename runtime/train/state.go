package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/checkpoint"
	"vitc/runtime/fault"
	"vitc/runtime/leaves"
	"vitc/runtime/safetensors"
)

// The metadata keys of a run's own in its checkpoints.
const (
	extraSteps   = "steps"   // the number of steps that the run was for
	extraPending = "pending" // the evaluation that was interrupted at this step
)

// The functions of a program, see ir.Program.
const (
	fnInit = "init"
	fnStep = "step"
)

// dtypes maps the dtypes of leaves to those of checkpoints.
var dtypes = map[ir.DType]safetensors.DType{
	ir.F32: safetensors.F32, ir.Real: safetensors.F32, ir.BF16: safetensors.BF16, ir.F16: safetensors.F16,
	ir.I32: safetensors.I32, ir.U32: safetensors.U32, ir.U8: safetensors.U8, ir.Bool: safetensors.Bool,
}

// findCheckpoint settles the seed and, for a resumed run, opens the latest checkpoint.
func (r *Run) findCheckpoint() error {
	r.seed = r.p.Train.Seed
	if r.o.Seed != nil {
		r.seed = *r.o.Seed
	}
	if !r.o.Resume {
		return nil
	}
	c, err := r.openCheckpoint()
	if errors.Is(err, fs.ErrNotExist) {
		return &diag.Diagnostic{Code: CodeResume, Msg: "there is nothing to resume", Pos: diag.Pos{File: r.o.Out},
			Label: "this folder holds no checkpoint", Fix: "leave out --resume, or give --out the folder of the run"}
	} else if err != nil {
		return fault.Diagnostic(err, CodeCheckpoint, diag.Pos{})
	}
	r.from = c
	for _, skipped := range c.Skipped {
		r.o.Observer.Warn(asWarning(fault.Diagnostic(skipped, CodeCheckpoint, diag.Pos{})))
	}
	if c.Program != programHash(r.p) {
		r.o.Observer.Warn(&diag.Diagnostic{Severity: diag.Warning, Code: CodeResume,
			Msg: "the program has changed since the checkpoint was written", Pos: diag.Pos{File: c.Path}})
	}
	if r.o.Seed != nil && *r.o.Seed != c.Seed {
		return &diag.Diagnostic{Code: CodeResume, Msg: fmt.Sprintf("the run has seed %d, --seed says %d", c.Seed, *r.o.Seed),
			Pos: diag.Pos{File: c.Path}, Fix: "leave out --seed, or start a new run without --resume"}
	}
	r.seed = c.Seed
	return nil
}

// openCheckpoint opens the latest checkpoint: the one that the first process finds whole.
func (r *Run) openCheckpoint() (*checkpoint.Checkpoint, error) {
	if r.first() {
		c, err := checkpoint.Load(r.o.Out)
		if err == nil {
			_, err = r.agreed(c.Path)
		}
		return c, err
	}
	path, err := r.agreed("")
	if err != nil {
		return nil, err
	}
	return checkpoint.Join(path)
}

func asWarning(d *diag.Diagnostic) *diag.Diagnostic {
	w := *d
	w.Severity = diag.Warning
	return &w
}

// programHash names the sources that a program was made of.
func programHash(p *ir.Program) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", p.Name)
	for _, name := range slices.Sorted(maps.Keys(p.Sources)) {
		fmt.Fprintf(h, "%q %s\n", name, p.Sources[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// openStore takes hold of the folder for checkpoints and proves that it can be written.
func (r *Run) openStore() error {
	if r.o.Out == "" || !r.first() {
		return nil
	}
	from := int64(0)
	if r.from != nil {
		from = r.from.Step
	}
	var err error
	if r.store, err = checkpoint.OpenStore(r.o.Out, from, 0); err != nil {
		return fault.Diagnostic(err, CodeResume, diag.Pos{})
	}
	probe, err := os.CreateTemp(r.o.Out, ".probe-*")
	if err != nil {
		return cannotWrite(r.o.Out, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func cannotWrite(dir string, err error) error {
	d := &diag.Diagnostic{Code: CodeWrite, Msg: "cannot write checkpoints", Pos: diag.Pos{File: dir},
		Fix: "choose another folder with --out"}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	d.Msg += ": " + err.Error()
	return d
}

// start gives the machine its state: new from the seed, or the checkpoint's.
func (r *Run) start() error {
	if r.from != nil {
		if err := r.restore(); err != nil {
			return err
		}
		r.step, r.savedStep, r.savedPath = int(r.from.Step), int(r.from.Step), r.from.Path
		r.pending = r.from.Extra[extraPending]
	} else if _, err := r.call(fnInit, nil); err != nil {
		return err
	} else if err := r.loadWeights(); err != nil {
		return err
	}
	r.begin = Begin{Program: r.p.Name, From: r.step, Steps: r.steps, Batch: r.p.Train.Batch, Seed: r.seed, Out: r.o.Out}
	return r.o.Observer.Begin(r.begin)
}

// tensors lists the state's leaves as a checkpoint holds them, without their bytes.
func (r *Run) tensors() []safetensors.Tensor {
	list := make([]safetensors.Tensor, len(r.p.State))
	for i, leaf := range r.p.State {
		list[i] = safetensors.Tensor{Name: leaf.Name, DType: dtypes[leaf.Type.DType], Shape: leaf.Type.Shape()}
	}
	return list
}

// restore puts the checkpoint's tensors into the machine.
func (r *Run) restore() error {
	list := r.tensors()
	if err := r.from.Match(list); err != nil {
		return fault.Diagnostic(err, CodeCheckpoint, diag.Pos{})
	}
	if err := r.checkStep(); err != nil {
		return err
	}
	if m, _, err := r.sharded(); m != nil || err != nil {
		if err != nil {
			return err
		}
		return r.restoreShards(m)
	}
	for i, leaf := range r.p.State {
		list[i].Data = make([]byte, leaf.Type.Bytes())
	}
	if err := r.from.Restore(list); err != nil {
		return fault.Diagnostic(err, CodeCheckpoint, diag.Pos{})
	}
	for i, leaf := range r.p.State {
		if err := r.m.SetLeaf(leaf.Name, list[i].Data); err != nil {
			return machineError(leaf.Name, err)
		}
	}
	return nil
}

// checkStep makes sure that the checkpoint counts as many steps as its name.
func (r *Run) checkStep() error {
	if !slices.ContainsFunc(r.p.State, func(l ir.Leaf) bool { return l.Name == stepLeaf }) {
		return nil
	}
	data, err := r.from.ReadBlock(stepLeaf, nil, nil)
	if err != nil {
		return fault.Diagnostic(err, CodeCheckpoint, diag.Pos{})
	}
	if sameStep(data, r.from.Step) {
		return nil
	}
	return &diag.Diagnostic{Code: CodeCheckpoint, Msg: "damaged checkpoint: its step count differs from its name", Pos: diag.Pos{File: r.from.Path},
		Fix: "remove it; the one before it will be used"}
}

// stepLeaf is the leaf that counts the steps done, an i32.
const stepLeaf = "t"

func sameStep(leaf []byte, step int64) bool {
	return len(leaf) == 4 && int64(binary.LittleEndian.Uint32(leaf)) == step
}

// save writes a checkpoint of the steps done, unless that has been done.
func (r *Run) save() error {
	if r.o.Out == "" || r.savedStep == r.step {
		return nil
	}
	m, devices, err := r.sharded()
	if err != nil {
		return err
	}
	info := r.info()
	path := ""
	if m != nil {
		path, err = r.saveShards(m, devices, info)
	} else {
		path, err = r.saveWhole(info)
	}
	if err != nil {
		return err
	}
	r.savedStep, r.savedPath = r.step, path
	return r.o.Observer.Saved(r.step, path)
}

// info is what a checkpoint of this moment says of itself.
func (r *Run) info() checkpoint.Info {
	info := checkpoint.Info{Step: int64(r.step), Seed: r.seed, Program: programHash(r.p), Extra: map[string]string{extraSteps: fmt.Sprint(r.steps)}}
	if r.pending != "" {
		info.Extra[extraPending] = r.pending
	}
	if names := r.data.Classes(); len(names) > 0 {
		text, _ := json.Marshal(names) // a list of strings
		info.Extra[leaves.KeyClasses] = string(text)
	}
	return info
}

// saveWhole writes a checkpoint of one file.
func (r *Run) saveWhole(info checkpoint.Info) (string, error) {
	list := r.tensors()
	for i, leaf := range r.p.State {
		bytes, err := r.m.Leaf(leaf.Name)
		if err != nil {
			return "", machineError(leaf.Name, err)
		}
		if !finite(leaf.Type.DType, bytes) {
			return "", r.diverged(leaf.Name + " is no longer finite")
		}
		list[i].Data = bytes
	}
	path := ""
	if r.store != nil {
		var err error
		if path, err = r.store.Save(info, list); err != nil {
			return "", r.cannotSave(err)
		}
	}
	return r.agreed(path)
}

// lastGood names the checkpoint to go back to.
func (r *Run) lastGood() diag.Note {
	if r.savedStep < 0 {
		return diag.Note{Text: "no checkpoint has been saved"}
	}
	return diag.Note{Text: fmt.Sprintf("the last good checkpoint is of step %d: %s", r.savedStep, r.savedPath)}
}

// finite reports whether no element is NaN or infinite. Of the floating dtypes that leaves
// are stored in, an element is not finite when all bits of its exponent are set.
func finite(d ir.DType, b []byte) bool {
	switch d {
	case ir.F32, ir.Real:
		for i := 0; i+4 <= len(b); i += 4 {
			if x := math.Float32frombits(binary.LittleEndian.Uint32(b[i:])); x-x != 0 {
				return false
			}
		}
	case ir.BF16, ir.F16:
		exponent := map[ir.DType]uint16{ir.BF16: 0x7f80, ir.F16: 0x7c00}[d]
		for i := 0; i+2 <= len(b); i += 2 {
			if binary.LittleEndian.Uint16(b[i:])&exponent == exponent {
				return false
			}
		}
	}
	return true
}
