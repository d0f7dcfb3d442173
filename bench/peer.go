package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitc/codegen"
	"vitc/ir"
	"vitc/runtime/safetensors"
)

// Args are the harness's flags, the same for every peer.
type Args struct {
	Peer, Model, Mode, Dtype, Cpus, Scratch, Weights string
	Batch, Threads, Iters                            int
	Seconds                                          float64
	Lockstep                                         bool
}

// Check rejects what this peer does not do.
func (a Args) Check() error {
	if _, err := Find(a.Model); err != nil {
		return err
	}
	switch {
	case a.Mode != "train" && a.Mode != "infer":
		return fmt.Errorf("--mode is train or infer, found %q", a.Mode)
	case a.Dtype != "f32" && a.Dtype != "bf16":
		return fmt.Errorf("--dtype is f32 or bf16, found %q", a.Dtype)
	case a.Batch < 1 || a.Iters < 1 || a.Threads < 1:
		return fmt.Errorf("--batch, --iters and --threads are at least 1, found %d, %d and %d", a.Batch, a.Iters, a.Threads)
	}
	return nil
}

// peer is a machine being measured.
type peer struct {
	a      Args
	c      Config
	m      codegen.Machine
	start  *ir.Start // where the weights lie in timm's files
	inputs map[string][]byte

	wall, cpu []float64 // ms of each timed step
}

// LearningSteps is the run's length as the schedule, which is flat, is told it.
const LearningSteps = 1000

// Run measures: open builds the machine; the report, one JSON line, goes to w. With Lockstep it
// says when it is ready and times as many steps as each line of r says.
func Run(ctx context.Context, a Args, open func(Config) (codegen.Machine, *ir.Program, error), version string, r io.Reader, w io.Writer) error {
	c, err := Find(a.Model)
	if err != nil {
		return err
	}
	before := memory("VmHWM")
	start := time.Now()
	m, program, err := open(c)
	if err != nil {
		return err
	}
	defer m.Close()
	p := &peer{a: a, c: c, m: m, start: program.Start}
	if err := p.fill(ctx); err != nil {
		return err
	}
	checks := [][]float64{}
	var warm time.Duration
	for len(checks) < 3 {
		out, err := p.step(ctx)
		if err != nil {
			return err
		}
		if checks = append(checks, out); len(checks) == 1 {
			warm = time.Since(start)
		}
	}
	if err := p.time(ctx, r, w); err != nil {
		return err
	}
	return p.report(w, version, checks, warm, before)
}

func (p *peer) time(ctx context.Context, r io.Reader, w io.Writer) error {
	if !p.a.Lockstep {
		return p.run(ctx, p.a.Iters, p.a.Seconds)
	}
	fmt.Fprintln(w, `{"ready": true}`)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil || n < 1 {
			return fmt.Errorf("expected a number of steps on standard input, found %q", lines.Text())
		}
		done := len(p.wall)
		if err := p.run(ctx, n, 0); err != nil {
			return err
		}
		line, err := json.Marshal(map[string][]float64{"ms": p.wall[done:], "cpu_ms": p.cpu[done:]})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n", line)
	}
	return lines.Err()
}

// run times n steps, fewer once seconds have passed and two are done.
func (p *peer) run(ctx context.Context, n int, seconds float64) error {
	begun := time.Now()
	for i := range n {
		if seconds > 0 && i >= 2 && time.Since(begun).Seconds() > seconds {
			break
		}
		t, cpu := time.Now(), cpuTime()
		if _, err := p.step(ctx); err != nil {
			return err
		}
		p.wall = append(p.wall, time.Since(t).Seconds()*1e3)
		p.cpu = append(p.cpu, (cpuTime()-cpu).Seconds()*1e3)
	}
	return nil
}

// step runs one iteration and gives what is checked: the loss, or the first image's logits.
func (p *peer) step(ctx context.Context) ([]float64, error) {
	if p.a.Mode == "train" {
		out, err := p.m.Call(ctx, "step", p.inputs)
		if err != nil {
			return nil, err
		}
		return wide(out[0].Data)[:1], nil
	}
	if _, err := p.m.Call(ctx, "eval.infer", p.inputs); err != nil {
		return nil, err
	}
	out, err := p.m.Call(ctx, "eval.infer.result", nil)
	if err != nil {
		return nil, err
	}
	return wide(out[0].Data)[:8], nil
}

// Floats is the inverse of Bytes.
func Floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func wide(b []byte) []float64 {
	var out []float64
	for _, x := range Floats(b) {
		out = append(out, float64(x))
	}
	return out
}

// fill gives the machine its weights and batch: those of the folder --weights, or random ones.
func (p *peer) fill(ctx context.Context) error {
	seed := make([]byte, 8)
	if _, err := p.m.Call(ctx, "init", map[string][]byte{"seed": seed}); err != nil {
		return err
	}
	if p.a.Weights == "" {
		p.inputs = p.random()
	} else if err := p.load(); err != nil {
		return err
	}
	if p.a.Mode == "train" {
		p.inputs["steps"] = Bytes([]float32{LearningSteps})
		return nil
	}
	_, err := p.m.Call(ctx, "eval.infer.init", nil)
	return err
}

func (p *peer) random() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	images := make([]float32, p.a.Batch*p.c.Channels*p.c.Image*p.c.Image)
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	labels := make([]byte, 4*p.a.Batch)
	for i := range p.a.Batch {
		binary.LittleEndian.PutUint32(labels[4*i:], uint32(r.IntN(p.c.Classes)))
	}
	return map[string][]byte{"image": Bytes(images), "label": labels}
}

// Bytes are the little-endian bytes of floats.
func Bytes(x []float32) []byte {
	b := make([]byte, 4*len(x))
	for i, v := range x {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}

func (p *peer) load() error {
	leaves, err := FromTimm(p.start, filepath.Join(p.a.Weights, p.c.Name+".safetensors"))
	if err != nil {
		return err
	}
	for _, fill := range p.start.Fills {
		if err := p.m.SetLeaf(fill.Leaf, Bytes(leaves[fill.Leaf])); err != nil {
			return err
		}
	}
	p.inputs, err = Batch(filepath.Join(p.a.Weights, fmt.Sprintf("%s-%d.safetensors", p.c.Name, p.a.Batch)))
	return err
}

// Batch reads a file's images (f32) and labels (i64) as the program's inputs.
func Batch(path string) (map[string][]byte, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	images, err := f.Read("images")
	if err != nil {
		return nil, err
	}
	wide, err := f.Read("labels")
	if err != nil {
		return nil, err
	}
	labels := make([]byte, 0, len(wide)/2)
	for at := 0; at+8 <= len(wide); at += 8 {
		labels = append(labels, wide[at:at+4]...)
	}
	return map[string][]byte{"image": images, "label": labels}, nil
}

func (p *peer) report(w io.Writer, version string, checks [][]float64, warm time.Duration, before float64) error {
	median := quantile(p.wall, 0.5)
	gflop := p.c.Flops(p.a.Mode == "train") * float64(p.a.Batch) / 1e9
	check := checks[0]
	if p.a.Mode == "train" {
		check = []float64{checks[0][0], checks[1][0], checks[2][0]}
	}
	line, err := json.Marshal(map[string]any{
		"peer": p.a.Peer, "framework": "vitc", "version": version, "model": p.a.Model, "mode": p.a.Mode, "batch": p.a.Batch,
		"dtype": p.a.Dtype, "threads": p.a.Threads, "images_per_s": float64(p.a.Batch) / median * 1e3,
		"ms_median": median, "ms_min": slices.Min(p.wall), "ms_max": slices.Max(p.wall), "iters": len(p.wall),
		"cpu_ms_median": quantile(p.cpu, 0.5), "gflops": gflop / median * 1e3, "gflop_per_step": gflop,
		"peak_rss_mb": memory("VmHWM"), "end_rss_mb": memory("VmRSS"), "rss_before_build_mb": before,
		"warmup_s": warm.Seconds(), "other_cores": 0.0, "steal_cores": 0.0, "own_cores": 0.0, "check": check, "notes": "erf GELU",
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", line)
	return err
}

func quantile(x []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[int(q*float64(len(s)-1))]
}

// memory reads a field of this process's status, in MiB; 0 where the system has none.
func memory(field string) float64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				return 0
			}
			return kb / 1024
		}
	}
	return 0
}
