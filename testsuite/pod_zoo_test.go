package testsuite

import (
	"bytes"
	"math"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vitc/driver"
)

// onPods are the examples with plans for TPUs. compiled is what a chip holds of each at the fullest
// moment of a step in GiB as libtpu 0.0.52 plans memory, and ratio what this compiler says it needs,
// of that: it counts no padding to tiles of 8 by 128, and all that a chip holds beside its HBM.
var onPods = []struct {
	file, plan, target string
	compiled, ratio    float64
}{
	{"zoo/e14", "v4", "tpu:v4:8x8x16", 11.82, 0.98},
	{"zoo/e14", "v5e", "tpu:v5e:16x16", 11.91, 0.99},
	{"zoo/e14", "v5p", "tpu:v5p:8x8x8", 23.20, 0.99},
	{"zoo/gigantic14", "v4", "tpu:v4:8x8x16", 13.92, 0.99},
	{"zoo/gigantic14", "v5e", "tpu:v5e:16x16", 7.28, 0.98},
	{"zoo/gigantic14", "v5p", "tpu:v5p:8x8x8", 27.75, 0.99},
	{"zoo/b16", "v4", "tpu:v4:2x2x4", 6.73, 1.05},
	{"zoo/b16", "v5e", "tpu:v5e:4x4", 3.35, 1.48},
	{"zoo/b16", "v5p", "tpu:v5p:2x2x2", 13.37, 1.05},
}

// mostOff is how far from the ratio noted a program may come to lie.
const mostOff = 0.1

// TestCheckOnPods: without the TPU compiler `vitc check` says within a second that the examples fit,
// and how much they need.
func TestCheckOnPods(t *testing.T) {
	for _, c := range onPods {
		t.Run(c.file+" "+c.plan, func(t *testing.T) {
			var r driver.Report
			inTime(t, time.Second, func() {
				var err error
				if r, err = driver.Check(driver.NewSources(), driver.CheckRequest{Source: onPod(c.file, c.plan), Target: c.target}); err != nil {
					t.Fatal(err)
				}
			})
			if !r.OK || len(r.Plans) != 1 {
				t.Fatalf("%v", r.Diagnostics)
			}
			need := float64(r.Plans[0].Peak) / (1 << 30)
			t.Logf("%.2f GiB; by libtpu %.2f", need, c.compiled)
			if math.Abs(need/c.compiled/c.ratio-1) > mostOff {
				t.Errorf("%.3f of what libtpu needs: want %g within %g", need/c.compiled, c.ratio, mostOff)
			}
		})
	}
}

// TestEmissionOnPods: lowering the examples to StableHLO takes less than a second, and the text is
// below a megabyte and the same each time, whoever divides the program.
func TestEmissionOnPods(t *testing.T) {
	for _, c := range onPods {
		for _, partitioner := range driver.Partitioners() {
			t.Run(c.file+" "+c.plan+" by "+partitioner, func(t *testing.T) {
				lower := func() []byte {
					pod, _, err := driver.LowerPod(driver.NewSources(), driver.PodRequest{Source: onPod(c.file, c.plan), Target: c.target, Partitioner: partitioner})
					if err != nil {
						t.Fatal(err)
					}
					return pod.Text
				}
				var text []byte
				inTime(t, time.Second, func() { text = lower() })
				if len(text) >= megabyte {
					t.Errorf("%d bytes", len(text))
				}
				if !bytes.Equal(text, lower()) {
					t.Error("two texts differ")
				}
			})
		}
	}
}

const megabyte = 1_000_000

func onPod(file, plan string) driver.Source {
	return driver.Source{File: filepath.Join(root, "examples", file+".vit"), Plan: plan}
}

// inTime fails a test where something takes longer than it may each time that it is tried. Time is
// that of the processors, which other work on the machine hardly changes: with nothing to wait for, a
// quiet machine needs no more.
func inTime(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	const tries = 3
	best := time.Duration(math.MaxInt64)
	for range tries {
		start := processorTime(t)
		do()
		if best = min(best, processorTime(t)-start); best <= limit {
			return
		}
	}
	t.Errorf("took %v: want %v at most", best, limit)
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
