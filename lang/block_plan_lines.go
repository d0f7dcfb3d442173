package lang

import (
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// readShard reads the lines of `shard`: an axis of the program, over one axis of the mesh or
// several.
func (x *planner) readShard() bool {
	s := x.settings["shard"]
	if s == nil {
		return true
	}
	if s.Table == nil {
		return x.report(&diag.Diagnostic{Code: codeSetting, Pos: s.Key.At, Msg: "`shard` is a table", Fix: "shard { batch: " + x.plan.Mesh[0].Name + " }"})
	}
	ok := true
	for _, e := range s.Table {
		line, good := x.shardLine(e)
		if ok = good && ok; good {
			x.plan.Shard = append(x.plan.Shard, line)
		}
	}
	return ok
}

// shardLine reads one line. Its key is an axis, `params.` and an axis, or in quotes an
// instance's path, with or without `params.`, and an axis.
func (x *planner) shardLine(e *Entry) (ir.ShardLine, bool) {
	line := ir.ShardLine{Pos: e.KeyPos()}
	parts := strings.Split(e.Key(), ".")
	if len(parts) > 1 && parts[0] == ir.Params {
		line.Params, parts = true, parts[1:]
	}
	last := len(parts) - 1
	line.Axis, line.Path = parts[last], strings.Join(parts[:last], ".")
	if e.Pattern == nil && line.Path != "" {
		return line, x.report(&diag.Diagnostic{Code: codePattern, Pos: e.KeyPos(), Msg: "a line for an instance has its path in quotes", Fix: fmt.Sprintf("%q", e.Key())})
	}
	if line.Axis == "" || strings.Contains(line.Axis, "*") {
		return line, x.report(&diag.Diagnostic{Code: codePattern, Pos: e.KeyPos(), Msg: "the last part of a line's path is an axis", Expected: "a path and an axis, such as \"net.head.classes\""})
	}
	names, ok := x.meshAxes(e.Value)
	line.Over = names
	return line, ok
}

// meshAxes reads one name of a mesh axis, or several in parentheses.
func (x *planner) meshAxes(e Expr) ([]string, bool) {
	var items []Expr
	switch e := e.(type) {
	case *Name:
		items = []Expr{e}
	case *Tuple:
		items = argValues(e.Args)
	}
	var out, have []string
	for _, a := range x.plan.Mesh {
		have = append(have, a.Name)
	}
	for _, item := range items {
		n, ok := item.(*Name)
		switch {
		case !ok:
			return nil, x.badOver(item.Pos(), have)
		case x.plan.Mesh.Axis(n.Name) < 0:
			return nil, x.report(&diag.Diagnostic{Code: codeMeshAxis, Pos: n.At, Msg: fmt.Sprintf("the mesh has no axis `%s`", n.Name), Expected: oneOf(have),
				Notes: []diag.Note{{Pos: x.settings["mesh"].Value.Pos(), Text: "the mesh"}}, Fix: diag.Nearest(n.Name, have)})
		case slices.Contains(out, n.Name):
			return nil, x.report(&diag.Diagnostic{Code: codeMeshAxis, Pos: n.At, Msg: fmt.Sprintf("the mesh axis `%s` twice in a line", n.Name), Fix: "once"})
		}
		out = append(out, n.Name)
	}
	if len(out) == 0 {
		return nil, x.badOver(e.Pos(), have)
	}
	return out, true
}

func (x *planner) badOver(at diag.Pos, have []string) bool {
	d := &diag.Diagnostic{Code: codeMeshAxis, Pos: at, Msg: "an axis is divided over axes of the mesh", Expected: oneOf(have)}
	if len(have) > 1 {
		d.Expected += ", or several: (" + strings.Join(have, ", ") + ")"
	}
	return x.report(d)
}

// remats are the policies by their words.
var remats = []string{string(ir.RematAll), string(ir.RematDots), string(ir.RematNone), string(ir.RematFit)}

// readRemat reads the lines of `remat`: an instance's path and a policy.
func (x *planner) readRemat() bool {
	s := x.settings["remat"]
	if s == nil {
		return true
	}
	if s.Table == nil {
		return x.report(&diag.Diagnostic{Code: codeSetting, Pos: s.Key.At, Msg: "`remat` is a table", Fix: `remat { "net.encoder.block": fit }`})
	}
	ok := true
	for _, e := range s.Table {
		n, good := e.Value.(*Name)
		if !good || !slices.Contains(remats, n.Name) {
			d := &diag.Diagnostic{Code: codeValue, Pos: e.Value.Pos(), Msg: "no policy of recomputation", Expected: oneOf(remats)}
			if good {
				d.Fix = diag.Nearest(n.Name, remats)
			}
			ok = x.report(d)
			continue
		}
		x.plan.Remat = append(x.plan.Remat, ir.RematLine{Path: e.Key(), Policy: ir.RematPolicy(n.Name), Pos: e.KeyPos()})
	}
	return ok
}
