package bench

import (
	"vitc/ir"
	"vitc/runtime/mapping"
)

// FromTimm reads tensors of timm's names and layouts as the leaves of the program's start table:
// parameters, gradients and updates alike.
func FromTimm(start *ir.Start, path string) (map[string][]float32, error) {
	files := mapping.NewFiles(func(string) string { return path })
	defer files.Close()
	found, list := mapping.Find(start.Fills, files)
	if err := list.Err(); err != nil {
		return nil, err
	}
	out := map[string][]float32{}
	for _, x := range found {
		data, err := x.Value()
		if err != nil {
			return nil, err
		}
		out[x.Leaf] = data
	}
	return out, nil
}

// ToTimm is the inverse of FromTimm: it names and lays leaves out as timm does.
func ToTimm(start *ir.Start, leaves map[string][]float32) (map[string][]float32, error) {
	tensors, err := mapping.Inverse(start.Fills, func(f ir.Fill) ([]float32, error) { return leaves[f.Leaf], nil })
	out := map[string][]float32{}
	for _, t := range tensors {
		out[t.Name] = t.Data
	}
	return out, err
}
