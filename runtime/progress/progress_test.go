package progress

import (
	"bytes"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// clock is a time that moves when told to.
type clock struct{ now time.Time }

func (c *clock) wait(d time.Duration) { c.now = c.now.Add(d) }

// start shows a run into a buffer; with a width, as on a terminal of it.
func start(o Options, width int) (*Progress, *bytes.Buffer, *clock) {
	c, b := &clock{time.Unix(1000, 0)}, &bytes.Buffer{}
	o.Out = b
	p := &Progress{o: o, now: func() time.Time { return c.now }}
	if width > 0 {
		p.width, p.color = func() int { return width }, true
	}
	p.begin()
	return p, b, c
}

func TestLines(t *testing.T) {
	p, b, c := start(Options{Name: "fashion", Start: 100, Total: 1000, Batch: 128}, 0)
	for step := int64(101); step <= 1000; step++ {
		c.wait(50 * time.Millisecond)
		p.Step(step, 1/float64(step))
		if step == 500 {
			p.Eval(step, "test", []Value{{"top1", 0.8125}, {"ece", 0.03125}})
			p.Warn("bad\x1b[2J name\n")
		}
	}
	p.Finish()
	want := `fashion: step 101/1000  loss 0.009901  2560 images/s  ETA 45s
fashion: step 301/1000  loss 0.003322  2560 images/s  ETA 35s
fashion: step 500  test.top1 0.8125  test.ece 0.03125
fashion: warning: bad?[2J name?
fashion: step 501/1000  loss 0.001996  2560 images/s  ETA 25s
fashion: step 701/1000  loss 0.001427  2560 images/s  ETA 15s
fashion: step 901/1000  loss 0.00111  2560 images/s  ETA 5s
fashion: step 1000/1000  loss 0.001  2560 images/s
`
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestRateForgets: after a slow beginning the rate is that of the last seconds, the time
// left that of the whole run.
func TestRateForgets(t *testing.T) {
	p, b, c := start(Options{Name: "n", Total: 100, Batch: 10, Every: time.Second}, 0)
	c.wait(90 * time.Second)
	p.Step(1, 0)
	for step := int64(2); step <= 11; step++ {
		c.wait(time.Second)
		p.Step(step, math.NaN())
	}
	lines := strings.Split(b.String(), "\n")
	if want := "n: step 11/100  loss NaN  10 images/s  ETA 13m29s"; lines[10] != want {
		t.Errorf("got %q, want %q", lines[10], want)
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9]*[mK]")

// rows are what a terminal shows one after another: text between carriage returns and
// newlines, without escape sequences.
func rows(out string) []string {
	return strings.FieldsFunc(escape.ReplaceAllString(out, ""), func(r rune) bool { return r == '\r' || r == '\n' })
}

func TestBarFitsTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 200).Draw(t, "width")
		total := rapid.Int64Range(4, 1e12).Draw(t, "total")
		p, b, c := start(Options{Name: "fashion", Total: total, Batch: 4096}, width)
		p.evals = rapid.String().Draw(t, "evals")
		for _, step := range []int64{1, total / 2, total} {
			c.wait(time.Second)
			p.Step(step, rapid.Float64().Draw(t, "loss"))
		}
		for _, row := range rows(b.String()) {
			if n := utf8.RuneCountInString(row); n > width {
				t.Fatalf("%d characters on %d columns: %q", n, width, row)
			}
		}
	})
}

func TestBar(t *testing.T) {
	p, b, c := start(Options{Name: "fashion", Total: 200, Batch: 10}, 100)
	p.Step(1, 0.5)
	c.wait(time.Second)
	p.Step(100, 0.25)
	p.Step(101, 0.24) // too soon to draw
	p.Eval(100, "test", []Value{{"top1", 0.75}})
	c.wait(time.Second)
	p.Step(150, 0.125)
	p.Warn("disk nearly full")
	c.wait(time.Second)
	p.Step(200, 0.1)
	p.Eval(200, "test", []Value{{"top1", 0.875}})
	p.Finish()
	out := b.String()
	for _, want := range []string{
		"50% |████████████            |  step 100/200  loss 0.25  1000 images/s  ETA 1s ",
		"\r\x1b[2K\x1b[1mstep 100  test.top1 0.75\x1b[0m\n",
		"step 150/200  loss 0.125  test.top1 0.75  750 images/s  ETA 1s",
		"\x1b[33mwarning: disk nearly full\x1b[0m\n",
		"100% |████████████████████████|  step 200/200  loss 0.1  test.top1 0.75  667 images/s ",
		"\nfashion: step 200  test.top1 0.875\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(out, "101/200") {
		t.Error("drawn too often")
	}
	if !strings.HasSuffix(out, "0.875\n") {
		t.Errorf("ends %q", out[len(out)-20:])
	}
}

// TestInterrupted: a run that ends early leaves the cursor on a new line.
func TestInterrupted(t *testing.T) {
	p, b, _ := start(Options{Name: "n", Total: 100, Batch: 1}, 80)
	p.Step(5, 1)
	p.Finish()
	p.Finish()
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59600 * time.Millisecond: "1m00s", 42 * time.Second: "42s", 187 * time.Second: "3m07s",
		2*time.Hour + 5*time.Minute + 59*time.Second: "2h05m", 76*time.Hour + 30*time.Minute: "3d04h",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestFilesGetLines: no control characters where nobody watches.
func TestFilesGetLines(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := New(Options{Out: f, Name: "n", Total: 2, Batch: 1})
	p.Step(1, 0.5)
	p.Warn("w")
	p.Step(2, 0.5)
	p.Finish()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(b), "\r\x1b") || strings.Count(string(b), "\n") != 3 {
		t.Errorf("%q", b)
	}
}
