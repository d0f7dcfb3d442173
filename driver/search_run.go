package driver

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"vitc/ir"
)

// Search is what plans of a train block cost on some devices, the best first.
type Search struct {
	File    string    `json:"file"`
	Train   string    `json:"train"`
	Target  string    `json:"target"`
	Devices int       `json:"devices"`
	Batch   int       `json:"batch"`
	Flops   float64   `json:"model_flops"`
	Tried   int       `json:"tried"` // plans priced
	Rows    []PlanRow `json:"plans"`
	Block   string    `json:"block,omitempty"` // the best plan that was found, as a block of the language
}

// PlanRow is one plan, or a layout of which no plan can be the best.
type PlanRow struct {
	Plan   string         `json:"plan,omitempty"` // of the program; "": a candidate
	Layout string         `json:"layout"`
	Mesh   ir.Mesh        `json:"mesh"`
	Micro  int            `json:"micro,omitempty"`
	Remat  ir.RematPolicy `json:"remat,omitempty"`
	Price
	// Bound: the layout was not priced further. Its step takes at least so long, whatever its slices
	// and its recomputation are.
	Bound bool `json:"bound,omitempty"`
	// Unplanned: it is slower than a plan that fits, and its memory was not planned.
	Unplanned bool   `json:"unplanned,omitempty"`
	Reason    string `json:"reason,omitempty"` // why it cannot be had
	plan      *ir.Plan
}

// searching is a search under way.
type searching struct {
	x     *pricer
	s     *shapes
	tried int
	rows  []PlanRow
	best  *PlanRow
}

// trial is a layout with what its step takes at least.
type trial struct {
	layout
	bound  *priced
	reason string
}

// run finds the best plan under the cost model:
//
//  1. every layout is priced with nothing computed again and the batch as one, whether or not it
//     fits: no other tuning of it takes less;
//  2. layouts are taken by that bound, a few at a time, and tuned, until the bound of the next one is
//     no less than the best price of a plan that fits;
//  3. for each number of slices policies are tried from the fastest on, until one fits; memory is
//     planned only for plans that would be the best.
func (q *searching) run() error {
	trials, err := q.bounds(q.s.candidates(q.x.t))
	if err != nil {
		return err
	}
	for len(trials) > 0 {
		if q.best != nil && trials[0].bound.Step >= q.best.Step {
			break
		}
		some := trials[:min(atOnce, len(trials))]
		trials = trials[len(some):]
		if err := q.tune(some); err != nil {
			return err
		}
	}
	for _, t := range trials {
		q.rows = append(q.rows, PlanRow{Layout: t.name, Mesh: t.mesh, Price: t.bound.Price, Bound: true})
	}
	return nil
}

// atOnce is how many layouts are looked at before the best price is compared with the next bound:
// a number of its own, so that what is found does not depend on how many processors there are.
const atOnce = 2

// bounds prices every layout's fastest tuning, the least first; layouts that cannot be had get a
// row with the reason.
func (q *searching) bounds(list []layout) ([]trial, error) {
	trials := make([]trial, len(list))
	err := q.together(len(list), func(i int) (err error) {
		trials[i].layout = list[i]
		plan := list[i].plan(q.x.t, 1, ir.RematNone)
		if trials[i].reason = q.hopeless(list[i], plan); trials[i].reason != "" {
			return nil
		}
		trials[i].bound, err = q.x.holding(plan, false)
		if err != nil && refused(err) {
			trials[i].reason, err = firstLine(err.Error()), nil
		}
		if trials[i].bound != nil {
			trials[i].bound.local = nil // of many layouts the memory of none is planned
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var good []trial
	for _, t := range trials {
		if t.reason != "" {
			q.rows = append(q.rows, PlanRow{Layout: t.name, Mesh: t.mesh, Reason: t.reason})
			continue
		}
		good = append(good, t)
	}
	q.tried += len(good)
	slices.SortStableFunc(good, func(a, b trial) int { return cmp.Compare(a.bound.Step, b.bound.Step) })
	return good, nil
}

// hopeless says why no tuning of a layout can be had, "" if one may.
func (q *searching) hopeless(l layout, plan *ir.Plan) string {
	if !l.divides(q.x.program.Train.Batch, 1) {
		return fmt.Sprintf("%d examples do not divide over %s", q.x.program.Train.Batch, axesText(l.batch))
	}
	state := int64(0)
	for _, leaf := range q.x.program.State {
		n := 1
		for _, axes := range plan.Split(leaf.Type, leaf.Of(), leaf.Kind.Params()) {
			n *= plan.Mesh.Size(axes...)
		}
		state += int64(leaf.Type.Bytes() / n)
	}
	if room := int64(float64(q.x.t.Chip.HBM) * (1 - plan.Reserve)); room > 0 && state > room {
		return "its state alone takes " + gib(state) + " of each device"
	}
	return ""
}

// tune prices some layouts in all their tunings, and keeps the best plan.
func (q *searching) tune(some []trial) error {
	rows := make([][]PlanRow, len(some)*len(micros))
	err := q.together(len(rows), func(i int) (err error) {
		rows[i], err = q.slices(some[i/len(micros)].layout, micros[i%len(micros)])
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range slices.Concat(rows...) {
		q.tried++
		q.rows = append(q.rows, r)
		if r.Fits && (q.best == nil || r.Step < q.best.Step) {
			q.best = &r
		}
	}
	return nil
}

// slices prices a layout with the batch in slices, by the policies from the fastest on, until a plan
// fits or is no better than the best.
func (q *searching) slices(l layout, micro int) (rows []PlanRow, err error) {
	if !l.divides(q.x.program.Train.Batch, micro) {
		return nil, nil
	}
	for _, remat := range q.s.policies() {
		row := PlanRow{Layout: l.name, Mesh: l.mesh, Micro: micro, Remat: remat, plan: l.plan(q.x.t, micro, remat)}
		p, err := q.x.time(row.plan)
		switch {
		case err != nil && !refused(err):
			return nil, err
		case err != nil:
			continue
		case q.best != nil && p.Step >= q.best.Step:
			row.Price, row.Unplanned = p.Price, true
			return append(rows, row), nil
		}
		if err := q.x.memory(p); err != nil {
			return nil, err
		}
		row.Price = p.Price
		if rows = append(rows, row); row.Fits {
			return rows, nil
		}
	}
	return rows, nil
}

// together calls f for 0 to n-1 on all processors; of several errors the first one's by number counts.
func (q *searching) together(n int, f func(i int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := range next {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
