package lang

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// Lines of a plan that speak of nothing in the program.

// useless reports a line that cuts nothing.
func (x *planner) useless(line int, all []tensorKind) bool {
	l := x.plan.Shard[line]
	d := &diag.Diagnostic{Code: codePlanAxis, Pos: l.Pos, Msg: fmt.Sprintf("no tensor of `%s` has axis `%s`", x.train.Name.Name, l.Axis)}
	if l.Params {
		d.Msg = fmt.Sprintf("no parameter of `%s` has axis `%s`", x.train.Name.Name, l.Axis)
	}
	var have []string
	spokenOf, somewhere := false, false
	for _, k := range all {
		if l.Params && !k.param {
			continue
		}
		for _, dim := range k.t.Dims {
			if !slices.Contains(have, dim.Label) {
				have = append(have, dim.Label)
			}
			somewhere = somewhere || dim.Label == l.Axis
			spokenOf = spokenOf || dim.Label == l.Axis && (l.Path == "" || ir.Under(l.Path, k.path))
		}
	}
	slices.Sort(have)
	switch {
	case spokenOf:
		return x.shadowed(line)
	case somewhere:
		return x.noInstance(l, d)
	}
	d.Expected, d.Fix = oneOf(have), diag.Nearest(l.Axis, have)
	return x.report(d)
}

// shadowed warns of a line that speaks of tensors which earlier lines, or lines of `params.`,
// have cut already.
func (x *planner) shadowed(line int) bool {
	l := x.plan.Shard[line]
	d := &diag.Diagnostic{Severity: diag.Warning, Code: codePlanAxis, Pos: l.Pos, Msg: fmt.Sprintf("this line for `%s` cuts nothing", l.Axis), Label: "other lines come first wherever it could"}
	for i, other := range x.plan.Shard[:line] {
		if other.Axis == l.Axis || slices.ContainsFunc(other.Over, func(a string) bool { return slices.Contains(l.Over, a) }) {
			d.Notes = append(d.Notes, diag.Note{Pos: x.plan.Shard[i].Pos, Text: "an earlier line, which comes first"})
		}
	}
	x.f.report(d)
	return true
}

// noInstance reports a line whose axis exists, but not where its path leads.
func (x *planner) noInstance(l ir.ShardLine, d *diag.Diagnostic) bool {
	d.Msg = fmt.Sprintf("nothing under `%s` has axis `%s`", l.Path, l.Axis)
	have := x.instances()
	if !slices.ContainsFunc(have, func(path string) bool { return ir.MatchPath(l.Path, path) }) && !x.ofParameter(l) {
		d.Code, d.Msg = codePattern, fmt.Sprintf("`%s` matches no instance", l.Path)
		d.Expected, d.Fix = x.nearInstance(l.Path, have)
		if d.Fix != "" {
			d.Fix = strconv.Quote(d.Fix + "." + l.Axis)
		}
	}
	return x.report(d)
}

// ofParameter reports whether the line's path is of a parameter, not of an instance.
func (x *planner) ofParameter(l ir.ShardLine) bool {
	return slices.ContainsFunc(x.prog.State, func(leaf ir.Leaf) bool { return ir.MatchPath(l.Path, leaf.Of()) })
}

// nearInstance says what instances there are, and which one a pattern may have meant.
func (x *planner) nearInstance(pattern string, have []string) (expected, fix string) {
	var roots []string
	for _, path := range have {
		if !strings.Contains(path, ".") {
			roots = append(roots, path)
		}
	}
	if len(roots) > 0 {
		expected = fmt.Sprintf("an instance of `%s`, whose path begins with %s", x.train.Name.Name, oneOf(roots))
	}
	for _, root := range roots {
		if slices.ContainsFunc(have, func(path string) bool { return ir.MatchPath(root+"."+pattern, path) }) {
			return expected, root + "." + pattern
		}
	}
	return expected, diag.Nearest(pattern, have)
}

// checkRemat makes sure that every line of `remat` speaks of an instance that no earlier line
// speaks of.
func (x *planner) checkRemat() bool {
	ok := true
	have := x.instances()
	for i, l := range x.plan.Remat {
		matched, free := false, false
		for _, path := range have {
			if !ir.Under(l.Path, path) {
				continue
			}
			matched = true
			free = free || !slices.ContainsFunc(x.plan.Remat[:i], func(b ir.RematLine) bool { return ir.Under(b.Path, path) })
		}
		d := &diag.Diagnostic{Code: codePattern, Pos: l.Pos, Msg: "pattern matches no instance"}
		switch {
		case free:
			continue
		case matched:
			d.Label, d.Fix = "all that it matches is matched further up", "the narrower pattern first"
		case x.ofOneTurn(l.Path, have, d):
		default:
			if d.Expected, d.Fix = x.nearInstance(l.Path, have); d.Fix != "" {
				d.Fix = strconv.Quote(d.Fix)
			}
		}
		ok = x.report(d)
	}
	return ok
}

// turnNumber is how a path could name one turn of a loop: as a part of its own, or in brackets.
var turnNumber = regexp.MustCompile(`(\.|\[)[0-9]+\]?(\.|$)`)

// ofOneTurn tells of a pattern that matches without the numbers in it: the turns of a `repeat` are one
// loop with one body, and so go by the same lines.
func (x *planner) ofOneTurn(pattern string, have []string, d *diag.Diagnostic) bool {
	all := strings.TrimSuffix(turnNumber.ReplaceAllString(pattern, "."), ".")
	if all == pattern || !slices.ContainsFunc(have, func(path string) bool { return ir.MatchPath(all, path) }) {
		return false
	}
	d.Label, d.Fix = "the turns of a `repeat` are computed and differentiated alike", strconv.Quote(all)
	d.Expected = "one policy for a part of all turns; a `for` makes an instance of each"
	return true
}

// instances lists the paths of the models' instances, in the order in which they compute.
func (x *planner) instances() []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range x.prog.Module.Funcs {
		f.Body.Walk(func(op *ir.Op) {
			parts := strings.Split(pathOf(op), ".")
			if parts[0] == "opt" {
				return
			}
			for n := range parts {
				path := strings.Join(parts[:n+1], ".")
				if path != "" && !seen[path] {
					seen[path] = true
					out = append(out, path)
				}
			}
		})
	}
	return out
}
