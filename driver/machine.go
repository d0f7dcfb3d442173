package driver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

// Built is a program that has been compiled for a target.
type Built struct {
	Program *ir.Program // its module as the target wants it
	Target  *Target
	Bundle  *codegen.Bundle // nil for a target without code
}

// Build takes a program through a target's passes and compiles it.
func Build(ctx context.Context, p *ir.Program, t *Target, o MachineOptions) (*Built, error) {
	b := &Built{Program: p, Target: t}
	if err := runPasses(p.Module, passes.Pipeline(t.Name), passOptions(t.Name, p.Chosen())); err != nil {
		return nil, err
	}
	if t.build == nil {
		return b, nil
	}
	var err error
	b.Bundle, err = t.build(ctx, p, o)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return b, err
}

// Open makes the program ready to run, its state not yet set.
func (b *Built) Open(o MachineOptions) (codegen.Machine, error) {
	if err := fits(b.Program, physicalMemory()); err != nil {
		return nil, err
	}
	m, err := b.Target.open(b, o)
	if err != nil {
		return nil, cannotOpen(err)
	}
	return m, nil
}

// cannotOpen says why code does not run here.
func cannotOpen(err error) error {
	var d *diag.Diagnostic
	if errors.As(err, &d) {
		return err
	}
	msg, fix, _ := strings.Cut(firstLine(err.Error()), "; fix: ")
	return &diag.Diagnostic{Code: CodeCPU, Msg: "this code cannot run here: " + msg, Fix: fix}
}

// fits compares what a program must hold at once, its state and the largest arena on each device,
// with the machine's memory (0: not known): better an answer now than a process killed by the system.
func fits(p *ir.Program, memory int64) error {
	need, arena := int64(0), 0
	state := map[string]bool{}
	for _, f := range p.Module.Funcs {
		arena = max(arena, f.Arena)
		for i, v := range f.Body.Params {
			if a := f.Args[i]; a.Role == ir.RoleState && !state[a.Name] {
				state[a.Name] = true
				need += int64(v.Type.Bytes())
			}
		}
	}
	need = (need + int64(arena)) * int64(p.Module.Mesh.Devices())
	if memory == 0 || need <= memory {
		return nil
	}
	gib := func(n int64) float64 { return float64(n) / (1 << 30) }
	return &diag.Diagnostic{Code: CodeMemory, Msg: fmt.Sprintf("train %s does not fit this machine", p.Name), Pos: p.Train.Pos,
		Label: fmt.Sprintf("needs %.1f GiB of memory, the machine has %.1f", gib(need), gib(memory)),
		Fix:   "a smaller batch or model, or a larger machine"}
}

// physicalMemory is the machine's memory in bytes, 0 where it cannot be told.
func physicalMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// File is the program as one file: what `vitc build` writes. Relative paths of its data start
// at the file's folder, wherever it is copied.
func (b *Built) File() *codegen.Bundle {
	p := *b.Program
	p.Train.Data.Dir = ""
	p.Evals = append([]ir.Eval(nil), p.Evals...)
	for i := range p.Evals {
		p.Evals[i].Data.Dir = ""
	}
	if p.Start != nil {
		start := *p.Start
		start.Dir = ""
		p.Start = &start
	}
	file := codegen.Bundle{Target: b.Target.Name, Plan: &codegen.Plan{}}
	if b.Bundle != nil {
		file = *b.Bundle
	}
	file.Program, file.IR = &p, b.Program.Module.String()
	return &file
}

// OpenFile reads a program that `vitc build` wrote. target is as given on the command line:
// Auto takes the target that the file was built for.
func OpenFile(path, target string) (*Built, error) {
	if err := CheckFile(path); err != nil {
		return nil, err
	}
	bundle, err := codegen.ReadBundle(path)
	if err != nil {
		return nil, badBundle(path, err)
	}
	if bundle.Part(PartExecutable) != nil {
		return nil, notHere(path, bundle)
	}
	if bundle.Program.Module, err = ir.Parse(bundle.IR); err != nil {
		return nil, badBundle(path, &codegen.FormatError{Section: "ir", Msg: err.Error(), Fix: "build it again with vitc build"})
	}
	if target == Auto {
		target = bundle.Target
	}
	t := targetNamed(target)
	if t == nil {
		return nil, &diag.Diagnostic{Code: CodeBundle, Msg: fmt.Sprintf("the bundle is for the target %q, which this vitc does not have", target), Pos: diag.Pos{File: path}}
	}
	setDir(bundle.Program, filepath.Dir(path))
	b := &Built{Program: bundle.Program, Target: t}
	if t.build == nil {
		return b, nil
	}
	if b.Bundle = bundle; bundle.Target != t.Name {
		return nil, &diag.Diagnostic{Code: CodeBundle, Msg: fmt.Sprintf("the bundle holds code for the target %s, not for %s", bundle.Target, t.Name), Pos: diag.Pos{File: path},
			Fix: "--target " + bundle.Target + ", or build it again with --target " + t.Name}
	}
	return b, nil
}

func setDir(p *ir.Program, dir string) {
	p.Train.Data.Dir = dir
	for i := range p.Evals {
		p.Evals[i].Data.Dir = dir
	}
	if p.Start != nil {
		p.Start.Dir = dir
	}
}

// badBundle says what is wrong with a bundle, and at which byte.
func badBundle(path string, err error) error {
	d := &diag.Diagnostic{Code: CodeBundle, Msg: firstLine(err.Error()), Pos: diag.Pos{File: path}}
	var format *codegen.FormatError
	if errors.As(err, &format) {
		where := "header"
		if format.Section != "" {
			where = "section " + format.Section
		}
		d.Msg = fmt.Sprintf("not a bundle that can be run: %s at byte %d: %s", where, format.Offset, format.Msg)
		d.Fix = format.Fix
	}
	return d
}
