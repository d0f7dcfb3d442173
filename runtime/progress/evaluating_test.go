package progress

import (
	"strings"
	"testing"
	"time"
)

func TestEvaluatingLines(t *testing.T) {
	p, b, c := start(Options{Name: "n", Start: 7, Total: 9}, 0)
	for done := 0; done <= 100; done += 10 {
		p.Evaluating("test", done, 100)
		c.wait(3 * time.Second)
	}
	want := "n: step 7/9  evaluating test 40/100\nn: step 7/9  evaluating test 80/100\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestEvaluatingBar(t *testing.T) {
	p, b, c := start(Options{Name: "n", Total: 9}, 80)
	p.Step(1, 2)
	c.wait(time.Second)
	p.Evaluating("test", 30, 100)
	shown := rows(b.String())
	if last := shown[len(shown)-1]; !strings.Contains(last, "step 1/9  evaluating test 30/100") {
		t.Errorf("shown %q", last)
	}
}
