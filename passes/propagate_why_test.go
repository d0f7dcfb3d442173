package passes

import (
	"strings"
	"testing"

	"vitc/ir"
)

// derivationOf propagates a program under a plan and hands out why.
func derivationOf(t *testing.T, text, plan string) *Derivation {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var got *Derivation
	o := Options{Config: Config{Plan: planOf(t, plan), Why: func(d *Derivation) { got = d }}}
	if err := Run(m, []string{"propagate"}, o); err != nil {
		t.Fatal(err)
	}
	return got
}

// Every cut dim's causes lead, from value to value, to a line of the plan that speaks of its axes.
func TestCausesLeadToThePlan(t *testing.T) {
	for _, plan := range []string{"d:4 | batch: d", "d:4 m:2 | batch: d; mlp: m", "d:2 m:2 | batch: (d, m); params.width: d; params.mlp: m"} {
		d, p := derivationOf(t, seedText, plan), planOf(t, plan)
		var values []*ir.Value
		values = append(values, d.Func.Body.Params...)
		d.Func.Body.Walk(func(op *ir.Op) { values = append(values, op.Out...) })
		cuts := 0
		for _, v := range values {
			for dim := range v.Type.Dims {
				axes := d.Home(v).Of(dim)
				if len(axes) == 0 {
					if d.Cause(v, dim) != nil {
						t.Errorf("%s: a whole dim has a cause", plan)
					}
					continue
				}
				cuts++
				c, steps := d.Cause(v, dim), 0
				for ; c.Line < 0 && steps < 100; steps++ {
					c = d.Cause(c.From, c.Dim)
				}
				if c.Line < 0 || strings.Join(axes, ",") != strings.Join(c.Over, ",") || len(without(axes, p.Shard[c.Line].Over)) > 0 {
					t.Errorf("%s: dim %d of %%%s, cut along %v, comes from %+v", plan, dim, v.Name, axes, *c)
				}
			}
		}
		if cuts < 3 {
			t.Errorf("%s: only %d dims are cut", plan, cuts)
		}
	}
}

// What is moved is told once, with its bytes; a gradient moves as what it is added to.
func TestMovesAreTold(t *testing.T) {
	d := derivationOf(t, seedText, "d:4 | batch: d; params.width: d")
	var told []string
	for _, m := range d.Moves {
		for _, s := range m.Steps {
			told = append(told, m.Value.Name+" "+s.Row)
			if s.Row != "block" && (s.Bytes <= 0 || s.Seconds <= 0 || m.Times != 1) {
				t.Errorf("%s: %+v", m.Value.Name, s)
			}
		}
	}
	if got := strings.Join(told, ", "); got != "w all_gather, n reduce_scatter, s all_reduce" {
		t.Errorf("moves: %s", got)
	}
}

// A cut that an earlier line forbids is told with what stands in its way.
func TestLostCuts(t *testing.T) {
	d := derivationOf(t, seedText, "d:4 | mlp: d; batch: d")
	h := d.Func.Body.Ops[0].Out[0]
	if lost := d.Lost(h); len(lost) != 1 || lost[0].Reason != "mlp has d already" {
		t.Errorf("%s lost %+v", h.Type, lost)
	}
}
