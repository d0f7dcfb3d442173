package train_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/ref"
	"vitc/runtime/train"
)

// source is least squares on pictures of four pixels, by gradient descent at a rate that
// depends on the number of steps; its evaluation counts examples and sums labels.
const source = `ir differentiated
func @init(%seed: u32[two:2] input="seed") -> (f32[row:2, col:2] state="net.w", i32[] state="t") {
  %bits: u32[row:2, col:2] = rng_bits %seed, 0 strides=(2, 1)
  %top: u32[row:2, col:2] = shr %bits, 8
  %x: f32[row:2, col:2] = cast %top
  %w: f32[row:2, col:2] = mul %x, 5.9604644775390625e-08
  %zero: f32[] = sub 0, 0
  %t: i32[] = cast %zero
  yield %w, %t
}
func @step(%w: f32[row:2, col:2] state="net.w", %t: i32[] state="t", %image: u8[batch:4, row:2, col:2] input="image",
    %label: i32[batch:4] input="label", %steps: f32[] input="steps") -> (
    f32[row:2, col:2] state="net.w", i32[] state="t", f32[] metric="loss") {
  %x: f32[batch:4, row:2, col:2] = cast %image
  %y: f32[batch:4] = cast %label
  %p: f32[batch:4] = dot %x, %w [brc,rc->b]
  %e: f32[batch:4] = sub %p, %y
  %q: f32[batch:4] = mul %e, %e
  %loss: f32[] = reduce %q [b->] kind=sum
  %g: f32[row:2, col:2] = dot %e, %x [b,brc->rc]
  %rate: f32[] = div 0.0001, %steps
  %d: f32[row:2, col:2] = mul %g, %rate
  %v: f32[row:2, col:2] = sub %w, %d
  %u: i32[] = add %t, 1
  yield %v, %u, %loss
}
func @eval.test.init() -> (f32[] acc="test.seen", f32[] acc="test.sum") {
  %a: f32[] = sub 0, 0
  %b: f32[] = sub 0, 0
  yield %a, %b
}
func @eval.test.3(%seen: f32[] acc="test.seen", %sum: f32[] acc="test.sum", %label: i32[batch:3] input="label") -> (
    f32[] acc="test.seen", f32[] acc="test.sum") {
  %n: f32[] = add %seen, 3
  %y: f32[batch:3] = cast %label
  %s: f32[] = reduce %y [b->] kind=sum
  %m: f32[] = add %sum, %s
  yield %n, %m
}
func @eval.test.1(%seen: f32[] acc="test.seen", %sum: f32[] acc="test.sum", %label: i32[batch:1] input="label") -> (
    f32[] acc="test.seen", f32[] acc="test.sum") {
  %n: f32[] = add %seen, 1
  %y: f32[batch:1] = cast %label
  %s: f32[] = reduce %y [b->] kind=sum
  %m: f32[] = add %sum, %s
  yield %n, %m
}
func @eval.test.result(%seen: f32[] acc="test.seen", %sum: f32[] acc="test.sum") -> (f32[] metric="seen", f32[] metric="mean") {
  %n: f32[] = add %seen, 0
  %m: f32[] = div %sum, %seen
  yield %n, %m
}`

const (
	trainExamples = 10
	testExamples  = 8 // two batches of 3 and a rest of 2, run as 1 and 1
)

// idx writes an IDX file of bytes.
func idx(t *testing.T, dir, name string, data []byte, dims ...uint32) {
	t.Helper()
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	if err := os.WriteFile(filepath.Join(dir, name), append(out, data...), 0o666); err != nil {
		t.Fatal(err)
	}
}

// program makes the program and its data.
func program(t *testing.T) *ir.Program {
	t.Helper()
	dir := t.TempDir()
	var pixels, labels []byte
	for i := range trainExamples * 4 {
		pixels = append(pixels, byte(i*37%11))
	}
	for i := range trainExamples {
		labels = append(labels, byte(i%3))
	}
	idx(t, dir, "train-images", pixels, trainExamples, 2, 2)
	idx(t, dir, "train-labels", labels, trainExamples)
	idx(t, dir, "test-images", pixels[:testExamples*4], testExamples, 2, 2)
	idx(t, dir, "test-labels", labels[:testExamples], testExamples)
	module, err := ir.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	f32 := func(dims ...ir.Dim) ir.Type { return ir.T(ir.F32, dims...) }
	return &ir.Program{
		Module: module, Name: "least",
		State: []ir.Leaf{{Name: "net.w", Kind: ir.LeafParam, Type: f32(ir.Dim{Label: "row", Size: 2}, ir.Dim{Label: "col", Size: 2})},
			{Name: "t", Kind: ir.LeafCounter, Type: ir.T(ir.I32)}},
		Train: ir.Train{Data: block(dir, "train", "all"), Batch: 4, Steps: 12, Seed: 7, Metrics: []string{"loss"}},
		Evals: []ir.Eval{{Name: "test", Data: block(dir, "test", "none"), Batch: 3, Every: 5,
			Funcs: map[int]string{3: "eval.test.3", 1: "eval.test.1"}, Metrics: []string{"seen", "mean"}}},
	}
}

func block(dir, name, shuffle string) ir.Data {
	image := ir.T(ir.U8, ir.Dim{Label: "row", Size: 2}, ir.Dim{Label: "col", Size: 2})
	source := ir.Call{Name: "idx", Pos: diag.Pos{File: "least.vit", Line: 4, Col: 11},
		Args: []ir.Arg{{Name: "images", Value: name + "-images"}, {Name: "labels", Value: name + "-labels"}}}
	return ir.Data{Name: name + "ing", Dir: dir, Shuffle: shuffle, Source: source, Pos: diag.Pos{File: "least.vit", Line: 3, Col: 1},
		Stages: []ir.Call{{Name: "shift", Args: []ir.Arg{{Value: 1.0}}, Pos: diag.Pos{File: "least.vit", Line: 5, Col: 11}}},
		Fields: []ir.Field{{Name: "image", Type: image}, {Name: "label", Type: ir.T(ir.I32)}}}
}

// log is an Observer that keeps what it is told.
type log struct {
	lines []string
	stop  func(step int)
	fail  error // of the next Saved
}

func (l *log) Begin(b train.Begin) error {
	l.lines = append(l.lines, fmt.Sprintf("begin %d of %d", b.From, b.Steps))
	return nil
}

func (l *log) Step(s train.Step) error {
	l.lines = append(l.lines, fmt.Sprintf("step %d loss %x", s.Step, math.Float64bits(s.Metrics[0].Value)))
	if l.stop != nil {
		l.stop(s.Step)
	}
	return nil
}

func (l *log) Evaluating(_ string, done, examples int) error {
	if l.stop != nil {
		l.stop(-done)
	}
	return nil
}

func (l *log) Eval(e train.Eval) error {
	l.lines = append(l.lines, fmt.Sprintf("eval %s at %d: %v last %v", e.Name, e.Step, e.Metrics, e.Last))
	return nil
}

func (l *log) Saved(step int, _ string) error {
	l.lines = append(l.lines, fmt.Sprintf("saved %d", step))
	return l.fail
}

func (l *log) Warn(d *diag.Diagnostic) { l.lines = append(l.lines, "warning: "+d.Msg) }

// run opens and trains.
func run(t *testing.T, ctx context.Context, p *ir.Program, o train.Options) (*train.Summary, error) {
	t.Helper()
	r, err := train.Open(p, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Train(ctx, machine(t, p))
}

func machine(t *testing.T, p *ir.Program) codegen.Machine {
	t.Helper()
	m, err := ref.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// files returns the checkpoints of a folder with their bytes.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(text)
	}
	return out
}

func TestRun(t *testing.T) {
	p, l, out := program(t), &log{}, t.TempDir()
	s, err := run(t, context.Background(), p, train.Options{Out: out, CheckpointEvery: 4, Observer: l})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, line := range l.lines {
		if !strings.HasPrefix(line, "step") {
			events = append(events, line)
		}
	}
	want := []string{
		"begin 0 of 12", "saved 4",
		"eval test at 5: [{seen 8} {mean 0.875}] last false", "saved 8",
		"eval test at 10: [{seen 8} {mean 0.875}] last false", "saved 12",
		"eval test at 12: [{seen 8} {mean 0.875}] last true",
	}
	if !slices.Equal(events, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(events, "\n"), strings.Join(want, "\n"))
	}
	if s.Step != 12 || !slices.Equal(s.Results, []train.Metric{{Name: "test.seen", Value: 8}, {Name: "test.mean", Value: 0.875}}) {
		t.Errorf("summary %+v", s)
	}
	if n := len(files(t, out)); n != 3 {
		t.Errorf("%d files are kept, want 3 checkpoints", n)
	}
}

// TestResume stops a run after any step, or while it evaluates, and demands that the resumed
// run ends with the same bytes and has told the same in all.
func TestResume(t *testing.T) {
	p, whole, want := program(t), &log{}, t.TempDir()
	if _, err := run(t, context.Background(), p, train.Options{Out: want, Observer: whole}); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, 5, 7, 11, 12, -3} { // negative: while evaluating, after 3 examples
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			out, l := t.TempDir(), &log{}
			ctx, cancel := context.WithCancel(context.Background())
			l.stop = func(event int) {
				if event == at {
					cancel()
				}
			}
			if _, err := run(t, ctx, p, train.Options{Out: out, Observer: l}); !errors.Is(err, train.ErrInterrupted) {
				t.Fatalf("error %v, want ErrInterrupted", err)
			}
			l.stop = nil
			if _, err := run(t, context.Background(), p, train.Options{Out: out, Resume: true, Observer: l}); err != nil {
				t.Fatal(err)
			}
			const last = "step-0000000012.safetensors"
			if files(t, out)[last] != files(t, want)[last] || files(t, out)[last] == "" {
				t.Error("the last checkpoint differs from that of a run in one piece")
			}
			if got, want := told(l), told(whole); !slices.Equal(got, want) {
				t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// told drops what a run in two pieces tells beside the steps and results.
func told(l *log) []string {
	return slices.DeleteFunc(slices.Clone(l.lines), func(s string) bool {
		return strings.HasPrefix(s, "begin") || strings.HasPrefix(s, "saved")
	})
}

func TestDivergence(t *testing.T) {
	p, out := program(t), t.TempDir()
	text := strings.Replace(source, "div 0.0001, %steps", "div 1e20, %steps", 1)
	var err error
	if p.Module, err = ir.Parse(text); err != nil {
		t.Fatal(err)
	}
	p.Train.Pos = diag.Pos{File: "least.vit", Line: 9, Col: 1}
	_, err = run(t, context.Background(), p, train.Options{Out: out, CheckpointEvery: 1})
	var d *diag.Diagnostic
	if !errors.As(err, &d) || d.Code != train.CodeDiverged || d.Pos.Line != 9 || len(d.Notes) == 0 || d.Fix == "" {
		t.Fatalf("error %v, want a located %s with a note and a fix", err, train.CodeDiverged)
	}
	for name, text := range files(t, out) {
		if strings.Contains(text, "\x00\x00\xc0\x7f") {
			t.Errorf("%s holds a NaN", name)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	seed := uint64(9)
	for name, c := range map[string]struct {
		change func(t *testing.T, p *ir.Program, o *train.Options)
		code   string
		line   int // in the program; 0: not placed there
		text   string
	}{
		"missing file": {func(_ *testing.T, p *ir.Program, _ *train.Options) {
			p.Train.Data.Source.Args[0].Value = "absent"
		}, train.CodeData, 4, "no such file"},
		"unknown stage": {func(_ *testing.T, p *ir.Program, _ *train.Options) {
			p.Train.Data.Stages[0].Name = "blur"
		}, train.CodeData, 5, "no such stage"},
		"bad argument of a stage": {func(_ *testing.T, p *ir.Program, _ *train.Options) {
			p.Train.Data.Stages[0].Args[0].Value = 1.5
		}, train.CodeData, 5, "argument of another kind"},
		"bad shuffle": {func(_ *testing.T, p *ir.Program, _ *train.Options) {
			p.Train.Data.Shuffle = "some"
		}, train.CodeData, 4, "bad shuffle"},
		"no step": {func(_ *testing.T, p *ir.Program, _ *train.Options) {
			p.Train.Steps, p.Train.Epochs = 0, 0.1
		}, train.CodeData, 0, "would take no step"},
		"last batch": {func(_ *testing.T, p *ir.Program, _ *train.Options) {
			delete(p.Evals[0].Funcs, 1)
		}, train.CodeData, 0, "the last batch of eval test has 2 examples"},
		"nothing to resume": {func(t *testing.T, _ *ir.Program, o *train.Options) {
			o.Resume, o.Out = true, t.TempDir()
		}, train.CodeResume, 0, "nothing to resume"},
		"no folder to resume": {func(t *testing.T, _ *ir.Program, o *train.Options) {
			o.Resume, o.Out = true, filepath.Join(t.TempDir(), "absent")
		}, train.CodeResume, 0, "nothing to resume"},
		"another seed": {func(t *testing.T, p *ir.Program, o *train.Options) {
			finished(t, p, o)
			o.Resume, o.Seed = true, &seed
		}, train.CodeResume, 0, "--seed says 9"},
		"fewer steps": {func(t *testing.T, p *ir.Program, o *train.Options) {
			finished(t, p, o)
			o.Resume, o.Steps = true, 3
		}, train.CodeResume, 0, "the run ends at step 3"},
		"a finished run in the way": {finished, train.CodeResume, 0, "later checkpoint"},
		"a file as folder": {func(t *testing.T, _ *ir.Program, o *train.Options) {
			o.Out = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(o.Out, nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}, train.CodeResume, 0, "cannot make the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			p, o := program(t), train.Options{}
			c.change(t, p, &o)
			_, err := run(t, context.Background(), p, o)
			var d *diag.Diagnostic
			if !errors.As(err, &d) || d.Code != c.code || d.Pos.Line != c.line || !strings.Contains(d.Msg, c.text) {
				t.Errorf("error %v\nwant %s at line %d with %q", err, c.code, c.line, c.text)
			}
		})
	}
}

// finished leaves a finished run in o.Out.
func finished(t *testing.T, p *ir.Program, o *train.Options) {
	o.Out = t.TempDir()
	if _, err := run(t, context.Background(), p, *o); err != nil {
		t.Fatal(err)
	}
}

func TestLabelsAreBoundedByTheModelsClasses(t *testing.T) {
	p := program(t)
	p.State[0].Type.Dims = []ir.Dim{{Label: "classes", Size: 2}}
	_, err := run(t, context.Background(), p, train.Options{})
	var d *diag.Diagnostic
	if !errors.As(err, &d) || !strings.Contains(d.Msg, "label out of range") || !strings.Contains(d.Expected, "0 to 1") {
		t.Errorf("error %v, want label out of range, expected 0 to 1", err)
	}
}

// TestResumeAfterDamage cuts the latest checkpoint short: the run warns and goes on from the
// one before.
func TestResumeAfterDamage(t *testing.T) {
	p, out, l := program(t), t.TempDir(), &log{}
	if _, err := run(t, context.Background(), p, train.Options{Out: out, CheckpointEvery: 4}); err != nil {
		t.Fatal(err)
	}
	want := files(t, out)
	if err := os.Truncate(filepath.Join(out, "step-0000000012.safetensors"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, context.Background(), p, train.Options{Out: out, Resume: true, Observer: l}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.lines[0], "warning: ") || !slices.Contains(l.lines, "begin 8 of 12") {
		t.Errorf("told %q, want a warning and a start at step 8", l.lines)
	}
	if got := files(t, out); got["step-0000000012.safetensors"] != want["step-0000000012.safetensors"] {
		t.Error("the last checkpoint differs from the one that was damaged")
	}
}

// TestCheckpointOfAnotherModel resumes with a model of other sizes.
func TestCheckpointOfAnotherModel(t *testing.T) {
	p, o := program(t), train.Options{}
	finished(t, p, &o)
	p.State[0].Name, o.Resume = "net.v", true
	_, err := run(t, context.Background(), p, o)
	var d *diag.Diagnostic
	if !errors.As(err, &d) || d.Code != train.CodeCheckpoint || !strings.Contains(d.Msg, "another model") {
		t.Errorf("error %v, want %s: another model", err, train.CodeCheckpoint)
	}
}

// follower is an evaluation that reads results of `test`: a number, and a tensor that is not
// reported.
const follower = `
func @eval.after.init() -> (f32[] acc="after.sum") {
  %a: f32[] = sub 0, 0
  yield %a
}
func @eval.after.1(%sum: f32[] acc="after.sum", %label: i32[batch:1] input="label", %mean: f32[] metric="test.mean", %pair: f32[two:2] metric="test.pair") -> (
    f32[] acc="after.sum") {
  %y: f32[batch:1] = cast %label
  %l: f32[] = reduce %y [b->] kind=sum
  %d: f32[] = sub %l, %mean
  %q: f32[] = mul %d, %d
  %p: f32[] = reduce %pair [t->] kind=sum
  %e: f32[] = mul %q, %p
  %m: f32[] = add %sum, %e
  yield %m
}
func @eval.after.result(%sum: f32[] acc="after.sum") -> (f32[] metric="spread") {
  %m: f32[] = add %sum, 0
  yield %m
}`

// TestEvaluationOfAnEvaluation: results reach the evaluation that reads them, be it at a step
// at which the earlier one is not due, and whatever was interrupted.
func TestEvaluationOfAnEvaluation(t *testing.T) {
	p := program(t)
	text := strings.NewReplacer(`(f32[] metric="seen", f32[] metric="mean")`, `(f32[] metric="seen", f32[two:2] metric="pair", f32[] metric="mean")`,
		"yield %n, %m\n}"+follower, "%pair: f32[two:2] = broadcast %n [->t]\n  yield %n, %pair, %m\n}"+follower).Replace(source + follower)
	module, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p.Module = module
	after := p.Evals[0]
	after.Name, after.Batch, after.Every, after.Funcs, after.Metrics = "after", 1, 4, map[int]string{1: "eval.after.1"}, []string{"spread"}
	p.Evals = append(p.Evals, after)
	// Labels 0 1 2 0 1 2 0 1: the squares around the mean 7/8 sum to 11 - 49/8, twice 8 of it.
	const want = "eval after at %d: [{spread 78}] last %v"
	for _, at := range []int{0, -1} { // -1: while the evaluation at step 4 is under way
		l, out := &log{}, t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		l.stop = func(event int) {
			if event == at {
				cancel()
			}
		}
		if _, err := run(t, ctx, p, train.Options{Out: out, Observer: l}); at < 0 {
			if !errors.Is(err, train.ErrInterrupted) {
				t.Fatalf("error %v, want ErrInterrupted", err)
			}
			l.stop = nil
			_, err = run(t, context.Background(), p, train.Options{Out: out, Resume: true, Observer: l})
			if err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range l.lines {
			if strings.HasPrefix(line, "eval after") {
				got = append(got, line)
			}
		}
		if want := []string{fmt.Sprintf(want, 4, false), fmt.Sprintf(want, 8, false), fmt.Sprintf(want, 12, true)}; !slices.Equal(got, want) {
			t.Errorf("told %q\nwant %q", got, want)
		}
		cancel()
	}
}

// TestClassesOfFolders: labels of an evaluation are those of training, also where its folder
// lacks a class; where it has others, a warning says that they differ.
func TestClassesOfFolders(t *testing.T) {
	for _, c := range []struct {
		classes []string
		mean    float64 // of the evaluation's labels
		warning string
	}{
		{[]string{"a", "b", "c"}, 1, ""},
		{[]string{"a", "c"}, 1, ""},
		{[]string{"c"}, 2, ""},
		{[]string{"b", "d"}, 0.5, `warning: eval test has the class "d", which training has not`},
	} {
		p, l, dir := program(t), &log{}, t.TempDir()
		pictures(t, filepath.Join(dir, "train"), "a", "b", "c")
		pictures(t, filepath.Join(dir, "test"), c.classes...)
		folder := func(name string) ir.Call {
			return ir.Call{Name: "folder", Args: []ir.Arg{{Name: "path", Value: filepath.Join(dir, name)}}}
		}
		p.Train.Data.Source, p.Evals[0].Data.Source, p.Train.Steps = folder("train"), folder("test"), 1
		r, err := train.Open(p, train.Options{Observer: l})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got := strings.Join(l.lines, "; "); got != c.warning {
			t.Errorf("%v: told %q, want %q", c.classes, got, c.warning)
		}
		s, err := r.Train(context.Background(), machine(t, p))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Results[1]; got != (train.Metric{Name: "test.mean", Value: c.mean}) {
			t.Errorf("%v: %v, want a mean of %g", c.classes, got, c.mean)
		}
	}
}

// pictures writes a picture of 2 by 2 for each class.
func pictures(t *testing.T, dir string, classes ...string) {
	t.Helper()
	for _, class := range classes {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, class), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, class, "x.png"), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
