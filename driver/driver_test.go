package driver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitc/codegen/llvm"
	"vitc/codegen/llvm/toolchain"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/passes"
)

const addIR = `ir built
func @f(%x: f32[n:3] input="x") -> (f32[n:3] output="y") {
  %y: f32[n:3] = add %x, %x
  yield %y
}
`

// TestCrashLeavesAReproducer follows a crash from the pass to the file that runs it again.
func TestCrashLeavesAReproducer(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	err := crashed(&passes.Crash{Pass: "simplify", Input: addIR, Err: errors.New("it broke\nbadly"), Stack: "goroutine 1\nmain"}, "cpu")
	if ExitStatus(err) != ExitInternal {
		t.Errorf("status %d", ExitStatus(err))
	}
	list := Diagnose(err)
	if len(list) != 1 || list[0].Code != CodeInternal || !strings.Contains(list[0].Msg, "pass simplify: it broke") {
		t.Fatalf("diagnosed %v", list)
	}
	var bug *InternalError
	if !errors.As(err, &bug) || !strings.HasPrefix(bug.Replay, "vitc opt --passes simplify --target cpu ") || !strings.Contains(list[0].Fix, bug.File) {
		t.Fatalf("reproducer %+v, fix %s", bug, list[0].Fix)
	}
	text, readErr := os.ReadFile(bug.File)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if m, err := Optimize(bug.File, text, []string{"simplify"}, "cpu"); err != nil || m.Func("f") == nil {
		t.Errorf("the reproducer does not run again: %v", err)
	}
}

// TestCrashWithoutAFolder keeps the crash's own message when nothing can be written.
func TestCrashWithoutAFolder(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	list := Diagnose(crashed(&passes.Crash{Pass: "fuse", Input: addIR, Err: errors.New("it broke")}, "cpu"))
	if len(list) != 1 || !strings.Contains(list[0].Msg, "it broke") || strings.Contains(list[0].Fix, "vitc opt") {
		t.Errorf("diagnosed %v", list)
	}
}

func TestOptimizeErrors(t *testing.T) {
	_, err := Optimize("x.ir", []byte("ir built\nfunc @f() -> () {\n  %a: f32[] = nothing 1\n  yield\n}"), nil, "ref")
	var d *diag.Diagnostic
	if !errors.As(err, &d) || d.Code != CodeIR || d.Pos.File != "x.ir" || d.Pos.Line != 3 || strings.HasPrefix(d.Msg, "line") {
		t.Errorf("error %v, want %s at x.ir:3", err, CodeIR)
	}
}

// TestRunFolder makes runs one after the other; a run that failed before its first
// checkpoint leaves an empty folder, which the next one takes.
func TestRunFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		resume bool
		want   string
		saves  bool
	}{
		{true, "runs/a", false}, {false, "runs/a", true}, {true, "runs/a", false}, {false, "runs/a-2", false},
		{true, "runs/a", false}, {false, "runs/a-2", true}, {true, "runs/a-2", false}, {false, "runs/a-3", false},
	} {
		got := RunFolder("a", c.resume)
		if got != c.want {
			t.Fatalf("RunFolder(resume %v) = %s, want %s", c.resume, got, c.want)
		}
		if err := os.MkdirAll(got, 0o777); err != nil {
			t.Fatal(err)
		}
		if !c.saves {
			continue
		}
		if err := os.WriteFile(filepath.Join(got, "step-0000000001.safetensors"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"fashion.vit", "other.vit", "notes.txt"} {
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"fasion.vit":    "fix: fashion.vit",
		"fashion":       "fix: fashion.vit",
		"absent/a.vit":  "the folder absent does not exist",
		"something.vit": "in that folder: fashion.vit, other.vit",
	} {
		_, err := NewSources().Read(path, nil)
		var d *diag.Diagnostic
		if !errors.As(err, &d) || ExitStatus(err) != ExitUsage {
			t.Errorf("%s: error %v", path, err)
			continue
		}
		text := d.String()
		for _, n := range d.Notes {
			text += n.Text
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: %s; want %q", path, text, want)
		}
	}
}

func TestStageEnd(t *testing.T) {
	pipeline := []string{"simplify", "autodiff", "simplify", "fuse"}
	for stage, want := range map[string]int{"autodiff": 2, "simplify": 3, "simplify:1": 1, "simplify:2": 3, "fuse": 4} {
		if got, err := stageEnd(pipeline, stage); err != nil || got != want {
			t.Errorf("stageEnd(%s) = %d, %v; want %d", stage, got, err, want)
		}
	}
	for _, stage := range []string{"simplify:0", "simplify:3", "simplify:x", "memory"} {
		if _, err := stageEnd(pipeline, stage); ExitStatus(err) != ExitUsage {
			t.Errorf("stageEnd(%s): error %v, want a usage error", stage, err)
		}
	}
}

func TestFits(t *testing.T) {
	w := &ir.Value{Type: ir.T(ir.F32, ir.Dim{Label: "n", Size: 1 << 28})}
	f := func(name string, arena int) *ir.Func {
		return &ir.Func{Name: name, Arena: arena, Args: []ir.Port{{Role: ir.RoleState, Name: "w"}}, Body: &ir.Region{Params: []*ir.Value{w}}}
	}
	p := &ir.Program{Name: "big", Module: &ir.Module{Funcs: []*ir.Func{f("a", 10), f("b", 1<<30)}}}
	if err := fits(p, 2<<30); err != nil {
		t.Errorf("2 GiB are enough: %v", err)
	}
	if err := fits(p, 0); err != nil {
		t.Errorf("unknown memory refuses nothing: %v", err)
	}
	var d *diag.Diagnostic
	if err := fits(p, 2<<30-1); !errors.As(err, &d) || d.Code != CodeMemory || !strings.Contains(d.Label, "needs 2.0 GiB") {
		t.Errorf("error %v, want %s", err, CodeMemory)
	}
	p.Module.Mesh = ir.Mesh{{Name: "data", Size: 4}}
	if err := fits(p, 8<<30-1); !errors.As(err, &d) || !strings.Contains(d.Label, "needs 8.0 GiB") {
		t.Errorf("four devices: %v", err)
	}
	if physicalMemory() < 1<<26 {
		t.Errorf("this machine has %d bytes", physicalMemory())
	}
}

func TestCannotCompile(t *testing.T) {
	at := &diag.Loc{Pos: diag.Pos{File: "m.vit", Line: 7, Col: 3}}
	for _, c := range []struct {
		err  error
		line int
		text string
	}{
		{&llvm.Error{Op: "solve", Pos: at, Err: errors.New("no generator")}, 7, "no native code for solve: no generator"},
		{&toolchain.CompileError{Name: "k1", Stage: toolchain.StageVerify, Msg: "bad\nworse"}, 0, "LLVM, verify of k1: bad"},
		{errors.New("the compile child did not start"), 0, "LLVM cannot be used: the compile child"},
	} {
		var d *diag.Diagnostic
		if !errors.As(cannotCompile(c.err), &d) || d.Code != CodeLLVM || d.Pos.Line != c.line || !strings.HasPrefix(d.Msg, c.text) || d.Fix == "" {
			t.Errorf("%v becomes %v", c.err, d)
		}
	}
	for _, err := range []error{nil, &toolchain.NotFoundError{}, ErrInterrupted} {
		if got := cannotCompile(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

func TestPlanText(t *testing.T) {
	m, err := ir.Parse(strings.Replace(addIR, "yield %y", "%z: f32[n:3] = exp %y\n  %q: f32[n:3] = mul %z, %y\n  yield %q", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := runPasses(m, passes.Pipeline("cpu"), passOptions("cpu", nil)); err != nil {
		t.Fatal(err)
	}
	if text := string(planText(m)); !strings.HasPrefix(text, "@f: state 0 bytes, inputs 12, arena ") {
		t.Errorf("plan:\n%s", text)
	}
}

// TestEndlessSources: what has no end is not read for ever, nor used.
func TestEndlessSources(t *testing.T) {
	_, err := NewSources().Read("/dev/zero", nil)
	if err == nil || !strings.Contains(err.Error(), "larger than 256 MiB") {
		t.Errorf("error %v", err)
	}
}
