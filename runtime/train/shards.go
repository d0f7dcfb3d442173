package train

import (
	"encoding/json"
	"fmt"
	"slices"

	"vitc/ir/diag"
	"vitc/runtime/checkpoint"
	"vitc/runtime/fault"
	"vitc/runtime/layout"
	"vitc/runtime/safetensors"
)

// sharded gives the machine as one whose devices save and restore their own parts of the state, nil
// where there is but one device.
func (r *Run) sharded() (m layout.Machine, devices int, err error) {
	m, ok := r.m.(layout.Machine)
	if !ok || len(r.p.State) == 0 {
		return nil, 1, nil
	}
	l, err := m.LeafLayout(r.p.State[0].Name)
	if err != nil {
		return nil, 0, machineError(r.p.State[0].Name, err)
	}
	if devices = l.Mesh.Devices(); devices == 1 {
		return nil, 1, nil
	}
	return m, devices, nil
}

// writers lists the devices that write their blocks of a leaf: of those that hold the same block
// one, another with each leaf, so that all have about as much to write.
func writers(l layout.Layout, leaf int) []int {
	holders := map[string][]int{}
	var blocks []string // in the order of their first device
	for d := range l.Mesh.Devices() {
		start, size := l.Box(d)
		if slices.Contains(size, 0) {
			continue // all padding
		}
		key := fmt.Sprint(start)
		if holders[key] == nil {
			blocks = append(blocks, key)
		}
		holders[key] = append(holders[key], d)
	}
	var list []int
	for _, key := range blocks {
		list = append(list, holders[key][leaf%len(holders[key])])
	}
	return list
}

// pieces copies out what a device here writes.
func (r *Run) pieces(m layout.Machine, device int) ([]checkpoint.Piece, error) {
	var list []checkpoint.Piece
	for i, leaf := range r.p.State {
		l, err := m.LeafLayout(leaf.Name)
		if err != nil {
			return nil, machineError(leaf.Name, err)
		}
		if !slices.Contains(writers(l, i), device) {
			continue
		}
		part, err := m.LeafPart(leaf.Name, device)
		if err != nil {
			return nil, machineError(leaf.Name, err)
		}
		start, size := l.Box(device)
		data := l.Unpad(device, part)
		if !finite(leaf.Type.DType, data) {
			return nil, r.diverged(leaf.Name + " is no longer finite")
		}
		list = append(list, checkpoint.Piece{Tensor: safetensors.Tensor{Name: leaf.Name, DType: dtypes[leaf.Type.DType], Shape: size, Data: data},
			Start: start, Whole: leaf.Type.Shape()})
	}
	return list, nil
}

// saveShards lets every process write the shards of its devices, and the first the manifest.
func (r *Run) saveShards(m layout.Machine, devices int, info checkpoint.Info) (string, error) {
	var mine []checkpoint.Written
	for _, d := range m.Devices() {
		pieces, err := r.pieces(m, d)
		if err != nil {
			return "", err
		}
		w, err := checkpoint.WriteShard(r.o.Out, info, d, devices, pieces)
		if err != nil {
			return "", r.cannotSave(err)
		}
		mine = append(mine, w)
	}
	all, err := gather(r, mine)
	if err != nil {
		return "", err
	}
	path := ""
	if r.store != nil {
		if path, err = r.store.Commit(info, slices.Concat(all...)); err != nil {
			return "", r.cannotSave(err)
		}
	}
	return r.agreed(path)
}

// cannotSave says why a checkpoint was not written.
func (r *Run) cannotSave(err error) error {
	d := fault.Diagnostic(err, CodeWrite, diag.Pos{})
	d.Notes = append(d.Notes, r.lastGood())
	return d
}

// gather gives the first process what all have; the others nothing.
func gather[T any](r *Run, mine T) ([]T, error) {
	if r.o.Ranks == nil {
		return []T{mine}, nil
	}
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	texts, err := r.gather(text)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(texts))
	for i, text := range texts {
		if err := json.Unmarshal(text, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// restoreShards gives each device here its part of a checkpoint.
func (r *Run) restoreShards(m layout.Machine) error {
	for _, leaf := range r.p.State {
		l, err := m.LeafLayout(leaf.Name)
		if err != nil {
			return machineError(leaf.Name, err)
		}
		for _, d := range m.Devices() {
			start, size := l.Box(d)
			block, err := r.from.ReadBlock(leaf.Name, start, size)
			if err != nil {
				return fault.Diagnostic(err, CodeCheckpoint, diag.Pos{})
			}
			if err := m.SetLeafPart(leaf.Name, d, l.Pad(d, block)); err != nil {
				return machineError(leaf.Name, err)
			}
		}
	}
	return nil
}
