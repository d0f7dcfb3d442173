package irtest

import (
	"fmt"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// Plan reads a plan as tests write it: the mesh, then a line for each axis, those of parameters
// with params. before it, and those under a path with the path and a slash:
//
//	mesh data:4 model:2
//	micro 2
//	batch: data
//	params.width: (data, model)
//	net.head/classes: model
func Plan(text string) (*ir.Plan, error) {
	p := &ir.Plan{Name: "p", Overlap: ir.OverlapRing}
	for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
		if micro, ok := strings.CutPrefix(l, "micro "); ok {
			if _, err := fmt.Sscan(micro, &p.Micro); err != nil {
				return nil, fmt.Errorf("micro %q: %w", micro, err)
			}
			continue
		}
		if mesh, ok := strings.CutPrefix(l, "mesh "); ok {
			for _, a := range strings.Fields(mesh) {
				name, size, _ := strings.Cut(a, ":")
				axis := ir.MeshAxis{Name: name}
				if _, err := fmt.Sscan(size, &axis.Size); err != nil {
					return nil, fmt.Errorf("mesh axis %q: %w", a, err)
				}
				p.Mesh = append(p.Mesh, axis)
			}
			continue
		}
		if remat, ok := strings.CutPrefix(l, "remat "); ok {
			path, policy, _ := strings.Cut(remat, ": ")
			p.Remat = append(p.Remat, ir.RematLine{Path: path, Policy: ir.RematPolicy(policy)})
			continue
		}
		axis, over, ok := strings.Cut(l, ":")
		if !ok {
			return nil, fmt.Errorf("line %q is neither mesh .. nor axis: mesh axes", l)
		}
		line := ir.ShardLine{Over: strings.FieldsFunc(over, func(r rune) bool { return strings.ContainsRune(" (),", r) }),
			Pos: diag.Pos{File: "plan", Line: i + 1, Col: 1}}
		axis = strings.TrimSpace(axis)
		if path, rest, ok := strings.Cut(axis, "/"); ok {
			line.Path, axis = path, rest
		}
		line.Axis, line.Params = strings.TrimPrefix(axis, "params."), strings.HasPrefix(axis, "params.")
		p.Shard = append(p.Shard, line)
	}
	return p, nil
}
