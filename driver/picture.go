package driver

import (
	"fmt"
	"slices"
	"strings"

	"vitc/driver/draw"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

// DrawRequest says what to draw of a program under its plan.
type DrawRequest struct {
	Source
	Path  string // of an instance, such as net.encoder.block.mlp.up; "": all of the program
	Stage string // the pass to draw the program after
}

// mostPanels bounds a picture: one of a whole model is longer than anybody reads.
const mostPanels = 200

// Draw makes a picture, in SVG, of the products and exchanges of an instance in one training step.
func Draw(s *Sources, q DrawRequest) ([]byte, error) {
	q.planned = true
	p, _, err := Load(s, q.Source)
	if err != nil {
		return nil, err
	}
	names := passes.Pipeline(xlaTarget)
	end, err := stageEnd(names, q.Stage)
	if err != nil {
		return nil, err
	}
	if err := runPasses(p.Module, names[:end], passOptions(xlaTarget, p.Chosen())); err != nil {
		return nil, err
	}
	if p.Module.Phase != ir.Partitioned {
		return nil, usagef(CodeValue, "--stage partition", "after the pass %s nothing is divided yet", q.Stage)
	}
	panels := draw.Steps(p.Module, p.Module.Func("step"), q.Path)
	switch {
	case len(panels) == 0:
		return nil, nothingDrawn(p, q)
	case len(panels) > mostPanels:
		return nil, usagef(CodeArgs, "vitc draw "+q.File+" and the path of a part, such as net.encoder.block.mlp", "%d steps are too many for one picture", len(panels))
	}
	return draw.SVG(panels), nil
}

// nothingDrawn says which paths there are.
func nothingDrawn(p *ir.Program, q DrawRequest) error {
	var paths []string
	p.Module.Func("step").Body.Walk(func(op *ir.Op) {
		if op.Pos != nil && op.Pos.Path != "" && !slices.Contains(paths, op.Pos.Path) {
			paths = append(paths, op.Pos.Path)
		}
	})
	d := &diag.Diagnostic{Code: CodeArgs, Msg: fmt.Sprintf("%q neither multiplies nor exchanges anything", q.Path), Pos: diag.Pos{File: q.File},
		Expected: "the path of an instance, such as " + strings.Join(paths[:min(len(paths), 4)], ", "), Fix: diag.Nearest(q.Path, paths)}
	return &UsageError{d}
}
