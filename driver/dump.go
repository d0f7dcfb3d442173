package driver

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/passes"
)

// The stages of a dump beside the passes.
const (
	stageAST = "ast"
	stageIR  = "ir"
)

// DumpRequest says what to show of a program.
type DumpRequest struct {
	Source
	Stage   string // see Stages; NAME:N is the Nth run of a pass in the pipeline
	Target  string
	Machine MachineOptions
	Locs    bool // show where each op came from
}

// emitters are the stages that come from the generated code of a target, by name.
type emitter struct {
	name, doc string
	emit      func(context.Context, *ir.Program, MachineOptions) ([]byte, error)
}

// Stages lists every stage that can be shown, in the order of compilation, with a line on
// each.
func Stages() []struct{ Name, Doc string } {
	list := []struct{ Name, Doc string }{{stageAST, "the syntax tree"}, {stageIR, "the IR as built"}}
	for _, p := range passes.Table() {
		list = append(list, struct{ Name, Doc string }{p.Name, "the IR after the pass: " + p.Doc})
	}
	for _, e := range emitters {
		list = append(list, struct{ Name, Doc string }{e.name, e.doc})
	}
	return list
}

// Dump shows a stage of a program as text (for `object`, as an ELF file).
func Dump(ctx context.Context, s *Sources, q DumpRequest) ([]byte, error) {
	if err := checkStage(q.Stage); err != nil {
		return nil, err
	}
	if q.Stage == stageAST {
		return dumpTree(s, q.Source)
	}
	p, _, err := Load(s, q.Source)
	if err != nil {
		return nil, err
	}
	if q.Stage == stageIR {
		return irText(p.Module, q.Locs), nil
	}
	for _, e := range emitters {
		if e.name != q.Stage {
			continue
		}
		if err := runPasses(p.Module, passes.Pipeline(nativeTarget), passOptions(nativeTarget, p.Chosen())); err != nil {
			return nil, err
		}
		return e.emit(ctx, p, q.Machine)
	}
	return dumpAfter(p, q)
}

func dumpTree(s *Sources, q Source) ([]byte, error) {
	text, err := s.Read(q.File, q.Stdin)
	if err != nil {
		return nil, err
	}
	tree, list := lang.Parse(q.File, text)
	if err := list.Err(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = lang.Dump(&b, tree)
	return b.Bytes(), err
}

// dumpAfter runs the pipeline up to a pass, to its last run unless the stage says which.
func dumpAfter(p *ir.Program, q DumpRequest) ([]byte, error) {
	t, _, err := ChooseTarget(q.Target)
	if err != nil {
		return nil, err
	}
	names := passes.Pipeline(t.Name)
	end, err := stageEnd(names, q.Stage)
	if err != nil {
		return nil, err
	}
	if err := runPasses(p.Module, names[:end], passOptions(t.Name, p.Chosen())); err != nil {
		return nil, err
	}
	return irText(p.Module, q.Locs), nil
}

// checkStage refuses what no target has.
func checkStage(stage string) error {
	base, _, _ := strings.Cut(stage, ":")
	var names []string
	for _, s := range Stages() {
		if s.Name == base {
			return nil
		}
		names = append(names, s.Name)
	}
	return &UsageError{&diag.Diagnostic{Code: CodeValue, Msg: fmt.Sprintf("there is no stage %q", stage),
		Expected: "one of " + strings.Join(names, ", "), Fix: diag.Nearest(base, names)}}
}

// stageEnd finds how much of a pipeline a stage needs.
func stageEnd(pipeline []string, stage string) (int, error) {
	name, number, numbered := strings.Cut(stage, ":")
	var ends []int
	for i, p := range pipeline {
		if p == name {
			ends = append(ends, i+1)
		}
	}
	if len(ends) == 0 {
		have := slices.Compact(slices.Sorted(slices.Values(pipeline)))
		return 0, usagef(CodeValue, "--target cpu, or one of "+strings.Join(have, ", "), "this target's pipeline has no pass %q", name)
	}
	if !numbered {
		return ends[len(ends)-1], nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(ends) {
		return 0, usagef(CodeValue, fmt.Sprintf("%s:1 to %s:%d", name, name, len(ends)), "the pipeline runs %s %d times, there is no run %q", name, len(ends), number)
	}
	return ends[n-1], nil
}

func irText(m *ir.Module, locs bool) []byte {
	var b bytes.Buffer
	if err := ir.Print(&b, m, ir.PrintOptions{Locs: locs}); err != nil {
		return []byte(err.Error()) // a buffer does not fail
	}
	return b.Bytes()
}

// DumpAll shows the IR as built and after every pass of the target, as files whose names
// sort in that order and say where a pass changed nothing.
func DumpAll(s *Sources, q DumpRequest) ([]File, error) {
	p, _, err := Load(s, q.Source)
	if err != nil {
		return nil, err
	}
	t, _, err := ChooseTarget(q.Target)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(filepath.Base(q.File), filepath.Ext(q.File))
	files := []File{{fmt.Sprintf("%s.00.built.ir", base), irText(p.Module, q.Locs)}}
	o := passOptions(t.Name, p.Chosen())
	o.After = func(name string, m *ir.Module, changed bool) {
		unchanged := ""
		if !changed {
			unchanged = ".unchanged"
		}
		files = append(files, File{fmt.Sprintf("%s.%02d.%s%s.ir", base, len(files), name, unchanged), irText(m, q.Locs)})
	}
	return files, runPasses(p.Module, passes.Pipeline(t.Name), o)
}
