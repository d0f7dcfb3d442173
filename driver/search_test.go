package driver

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/topology"
	"vitc/lang"
)

// small is a program of a loop, for searches to lay out.
var small = filepath.Join("testdata", "search.vit")

// searchOver prepares a search on devices of which each has some bytes of memory.
func searchOver(t *testing.T, target string, hbm int64) *searching {
	t.Helper()
	top, err := topology.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	chip := *top.Chip
	chip.HBM = hbm
	top.Chip = &chip
	p, _, err := Load(NewSources(), Source{File: small})
	if err != nil {
		t.Fatal(err)
	}
	x := newPricer(p, top)
	return &searching{x: x, s: shapesOf(p, x.step)}
}

// bruteForce prices every layout in every tuning, and gives the best step that fits; 0 where none
// does.
func bruteForce(t *testing.T, q *searching) (best float64, priced int) {
	t.Helper()
	for _, l := range q.s.candidates(q.x.t) {
		for _, micro := range micros {
			for _, remat := range q.s.policies() {
				if !l.divides(q.x.program.Train.Batch, micro) {
					continue
				}
				p, err := q.x.time(l.plan(q.x.t, micro, remat))
				if err != nil {
					if !refused(err) {
						t.Fatal(err)
					}
					continue
				}
				if err := q.x.memory(p); err != nil {
					t.Fatal(err)
				}
				if priced++; p.Fits && (best == 0 || p.Step < best) {
					best = p.Step
				}
			}
		}
	}
	return best, priced
}

// A search that skips what cannot be the best finds what pricing everything finds, whatever memory
// leaves to choose from.
func TestSearchFindsTheBest(t *testing.T) {
	const kib, nothing = 1 << 10, 1 << 20
	for _, c := range []struct {
		target string
		hbm    int64
	}{{"tpu:v4:2x2x2", 32 << 30}, {"tpu:v4:2x2x2", 20000 * kib}, {"tpu:v4:2x2x2", 6300 * kib}, {"tpu:v4:2x2x2", 6100 * kib}, {"tpu:v5e:4x2", 7000 * kib}, {"cpu:8", 0}, {"tpu:v4:2x2x1", nothing}} {
		q := searchOver(t, c.target, c.hbm)
		if err := q.run(); err != nil {
			t.Fatal(err)
		}
		want, priced := bruteForce(t, q)
		found := 0.0
		if q.best != nil {
			found = q.best.Step
		}
		if found != want {
			t.Errorf("%s of %d KiB: found %g s, the best of %d plans takes %g s", c.target, c.hbm>>10, found, priced, want)
		}
		if (c.hbm == nothing) != (want == 0) {
			t.Errorf("%s of %d KiB: the best takes %g s", c.target, c.hbm>>10, want)
		}
	}
}

// What is proposed for ViT-22B on 1,024 chips is as the plan of the program is, which libtpu finds the best of
// those tried: fully sharded over the torus's own axes, in two slices, and not in four, whose sends are
// longer than the products that cover them.
func TestSearchViT22B(t *testing.T) {
	file := filepath.Join("..", "examples", "vit22b.vit")
	s, err := SearchPlans(NewSources(), SearchRequest{Source: Source{File: file}, Target: "tpu:v4:8x8x16", Propose: true})
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]float64{}
	for _, r := range s.Rows {
		t.Logf("%s %s %s micro %d: %.2f s, %.2f exposed", r.Plan, r.Layout, r.Mesh, r.Micro, r.Step, r.Exposed)
		if r.Plan != "" {
			steps[r.Plan] = r.Step
		}
	}
	best := s.Rows[0]
	if best.Micro != 2 || best.Mesh.String() != "(x: 8, y: 8, z: 16)" || !best.Fits || steps["fsdp"] > 1.03*best.Step || steps["fsdp"] >= steps["tp4"] {
		t.Errorf("the best is %+v; the program's own take %v", best, steps)
	}
	if !strings.Contains(s.Block, `"params.net.encoder.block.mlp.down`) {
		t.Errorf("down is not cut along its rows:\n%s", s.Block)
	}
}

// Bounds are no more than what any tuning of their layout takes.
func TestBoundsHold(t *testing.T) {
	q := searchOver(t, "tpu:v4:2x2x2", 32<<30)
	for _, l := range q.s.candidates(q.x.t) {
		bound, err := q.x.holding(l.plan(q.x.t, 1, ir.RematNone), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, micro := range micros {
			for _, remat := range q.s.policies() {
				if p, err := q.x.time(l.plan(q.x.t, micro, remat)); err == nil && p.Step < bound.Step*(1-1e-9) {
					t.Errorf("%s over %s, micro %d, %s: %g s, its bound is %g s", l.name, l.mesh, micro, remat, p.Step, bound.Step)
				}
			}
		}
	}
}

// The block that is printed is canonical, and reads back as the plan that was priced.
func TestFoundBlockReadsBack(t *testing.T) {
	q := searchOver(t, "tpu:v4:2x2x2", 12<<20)
	for _, l := range q.s.candidates(q.x.t) {
		want := l.plan(q.x.t, 2, ir.RematFit)
		text := blockText(want, "little", []string{proposed})
		file := "edition 1\n\n" + text
		if formatted, list := lang.Format("found.vit", []byte(file)); list.Errors() > 0 || string(formatted) != file {
			t.Errorf("not canonical: %v\n%s", list, text)
		}
		s := NewSources()
		source, err := s.Read(small, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, list := lang.Load(small, append(slices.Clone(source), "\n"+text...), readFile)
		if list.Errors() > 0 {
			t.Fatalf("%v\n%s", list, text)
		}
		p, list := lang.Lower(u, "little", lang.Options{Plan: "found2"})
		if list.Errors() > 0 {
			t.Fatalf("%v\n%s", list, text)
		}
		p.Plan = "found2"
		have := p.Chosen()
		if have.Mesh.String() != want.Mesh.String() || have.Micro != 2 || have.Overlap != want.Overlap || policyOf(have) != ir.RematFit ||
			linesOf(have) != linesOf(want) || !slices.Equal(have.Devices.Shape, want.Devices.Shape) {
			t.Errorf("%+v reads back as %+v", want, have)
		}
	}
}

func linesOf(p *ir.Plan) string {
	var lines []string
	for _, l := range p.Shard {
		lines = append(lines, lineText(l))
	}
	return strings.Join(lines, "; ")
}
