package passes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// Codes of what the sharding passes say.
const (
	CodeUneven     = "V0503" // a dim that mesh axes do not divide
	CodeReplicated = "V0504" // a large tensor is whole on devices where the plan would cut it
)

// Seed is one thing that a plan says outright of a function: a dim of a value is cut along mesh
// axes. Whatever else the function's values are, propagation derives.
type Seed struct {
	Value *ir.Value
	Dim   int
	Over  []string
	Line  int // in the plan's Shard: the earlier one wins
}

// Seeds lists what the plan says of a function's values, by the plan's lines and in each line by
// their order in the function: of the leaves of its state, its inputs, what it returns, and its
// activations. Those are the values that a batch's examples reach: which have a dim that, by the
// ops' index rules, comes from an input's batch. A dim that the axes do not divide well gets
// none: for state that is an error, for inputs a warning.
func Seeds(f *ir.Func, p *ir.Plan) ([]Seed, diag.List) {
	s := &seeder{f: f, plan: p, reached: reachedByBatch(f, factorViews{}), seen: map[*ir.Value]bool{}}
	s.ports(f.Body.Params, f.Args)
	s.ports(f.Body.Yield, f.Results)
	s.inside(f.Body)
	slices.SortStableFunc(s.seeds, func(a, b Seed) int { return cmp.Compare(a.Line, b.Line) })
	return s.seeds, s.notes
}

// Ports is how a plan lays out what a function takes and gives: state by its axes, inputs by their
// batch, metrics whole. A result that replaces a leaf of the state lies as the leaf.
func Ports(f *ir.Func, p *ir.Plan) (args, results []*ir.Sharding, notes diag.List) {
	seeds, notes := Seeds(f, p)
	args, results = portsOf(f, seeds)
	return args, results, notes
}

func portsOf(f *ir.Func, seeds []Seed) (args, results []*ir.Sharding) {
	state := map[string]*ir.Sharding{}
	for i, v := range f.Body.Params {
		args = append(args, seeded(v, seeds))
		if f.Args[i].Role == ir.RoleState {
			state[f.Args[i].Name] = args[i]
		}
	}
	for i, v := range f.Body.Yield {
		r := f.Results[i]
		sh, known := state[r.Name]
		switch {
		case r.Role == ir.RoleState && known:
		case r.Role == ir.RoleMetric || r.Role == ir.RoleAcc:
			sh = nil
		default:
			sh = seeded(v, seeds)
		}
		results = append(results, sh)
	}
	return args, results
}

// seeded is what seeds alone say of a value.
func seeded(v *ir.Value, seeds []Seed) *ir.Sharding {
	dims := make([][]string, v.Type.Rank())
	for _, s := range seeds {
		if s.Value == v {
			dims[s.Dim] = s.Over
		}
	}
	return ir.NewSharding(dims, nil, nil)
}

type seeder struct {
	f       *ir.Func
	plan    *ir.Plan
	reached *reached
	seen    map[*ir.Value]bool
	seeds   []Seed
	notes   diag.List
}

// ports seeds arguments or results by what they are. A result that is an argument too, state that
// does not change, is seeded once.
func (s *seeder) ports(values []*ir.Value, ports []ir.Port) {
	for i, v := range values {
		if s.seen[v] {
			continue
		}
		s.seen[v] = true
		switch role := ports[i].Role; role {
		case ir.RoleState:
			path, param := leafOf(ports[i].Name)
			s.seed(v, path, param, func(d int, l *ir.ShardLine) { s.unevenState(v, d, ports[i].Name, l) })
		case ir.RoleInput, ir.RoleOutput:
			s.seed(v, "", false, func(d int, l *ir.ShardLine) { s.unevenInput(v, d, ports[i].Name, l) })
		}
	}
}

// leafOf is the path of the parameter that a leaf of the state belongs to, and whether a plan's
// `params.` lines speak of it.
func leafOf(name string) (path string, param bool) {
	for _, kind := range []string{"opt.", "ema."} {
		if rest, ok := strings.CutPrefix(name, kind); ok {
			return rest, true
		}
	}
	return name, true
}

// inside seeds the activations of a region.
func (s *seeder) inside(r *ir.Region) {
	each := func(vs []*ir.Value) {
		for _, v := range vs {
			if !s.seen[v] && s.reached.value(v) {
				s.seed(v, pathOf(v), false, func(d int, l *ir.ShardLine) { s.unevenInside(v, d, l) })
			}
		}
	}
	for _, op := range r.Ops {
		if op.Body != nil {
			each(op.Body.Params)
			s.inside(op.Body)
		}
		each(op.Out)
	}
}

// pathOf is the path of the instance that computes a value.
func pathOf(v *ir.Value) string {
	if v.Pos == nil {
		return ""
	}
	return v.Pos.Path
}

// seed adds what the lines say of a value. The first line that speaks of a dim counts, and the
// value gives each axis away once; uneven is told of a dim that the axes do not fit.
func (s *seeder) seed(v *ir.Value, path string, param bool, uneven func(dim int, l *ir.ShardLine)) {
	lines := s.plan.SplitLines(v.Type, path, param)
	var taken []string
	for n := range s.plan.Shard {
		l := &s.plan.Shard[n]
		for d, line := range lines {
			over := without(l.Over, taken)
			if line != n || len(over) == 0 {
				continue
			}
			size, parts := v.Type.Dims[d].Size, s.plan.Mesh.Size(over...)
			if !pads(size, parts) || v.Def == nil && !param && size%parts != 0 {
				uneven(d, l)
				continue
			}
			taken = append(taken, over...)
			s.seeds = append(s.seeds, Seed{v, d, over, n})
		}
	}
}

func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(others, n) })
}

// unevenState refuses a leaf of the state that would be mostly padding.
func (s *seeder) unevenState(v *ir.Value, dim int, name string, l *ir.ShardLine) {
	d, n := v.Type.Dims[dim], s.plan.Mesh.Size(l.Over...)
	full := padded(d.Size, n)
	s.notes.Add(&diag.Diagnostic{Code: CodeUneven, Pos: l.Pos,
		Msg:      fmt.Sprintf("%s:%d of %s over %s leaves %d of %d places empty", d.Label, d.Size, name, devices(l.Over, n), full-d.Size, full),
		Expected: "at most one place of eight to be padding",
		Fix:      "other mesh axes for " + d.Label + ", or a mesh axis that divides its size",
	})
}

// unevenInput tells that examples are not spread.
func (s *seeder) unevenInput(v *ir.Value, dim int, name string, l *ir.ShardLine) {
	d, n := v.Type.Dims[dim], s.plan.Mesh.Size(l.Over...)
	s.notes.Add(&diag.Diagnostic{Severity: diag.Warning, Code: CodeUneven, Pos: l.Pos,
		Msg: fmt.Sprintf("@%s: %s:%d of %s does not divide over %s: every device is given all of it", s.f.Name, d.Label, d.Size, name, devices(l.Over, n)),
		Fix: "a multiple of " + fmt.Sprint(n) + " for " + d.Label,
	})
}

// unevenInside tells of a large activation that is not cut.
func (s *seeder) unevenInside(v *ir.Value, dim int, l *ir.ShardLine) {
	if v.Type.Bytes() < largeTensor {
		return
	}
	d, n := v.Type.Dims[dim], s.plan.Mesh.Size(l.Over...)
	note := &diag.Diagnostic{Severity: diag.Warning, Code: CodeReplicated, Pos: l.Pos,
		Msg: fmt.Sprintf("@%s: %s, %s, is not cut along %s: %d places do not divide over %s", s.f.Name, v.Type, size(v.Type.Bytes()), d.Label, d.Size, devices(l.Over, n)),
		Fix: "other mesh axes for " + d.Label,
	}
	if v.Pos != nil {
		note.Notes = []diag.Note{{Pos: v.Pos.Pos, Text: "it is computed here"}}
	}
	s.notes.Add(note)
}

// devices names axes and how many devices there are along them: data (4).
func devices(axes []string, n int) string {
	return fmt.Sprintf("%s (%d)", strings.Join(axes, ", "), n)
}
