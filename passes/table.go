package passes

import (
	"fmt"
	"slices"

	"vitc/ir"
)

// table lists every pass in the order in which pipelines run them.
var table []Pass

// The parts that pipelines are made of: what every target needs, and what lays a program out over
// the devices of a plan, if there is one.
var (
	common = []string{"simplify", "micro", "autodiff", "simplify", "precision", "simplify"}
	spmd   = []string{"order", "propagate", "partition"}
)

// pipelines name each target's passes in order; a pass may stand more than once.
var pipelines = map[string][]string{
	"ref": slices.Concat(common, spmd, []string{"collectives"}),
	"cpu": slices.Concat(common, spmd, []string{"collectives", "prefetch", "fuse", "asynchronous", "memory"}),
	"xla": slices.Concat(common, []string{"moments"}, spmd, []string{"collectives", "fence", "overlap"}), // XLA makes kernels and memory of its own
}

func init() {
	table = []Pass{
		{Name: "simplify", Doc: "fold constants, share equal values, drop what is not used", Run: simplify},
		{Name: "micro", Doc: "take the gradient in slices of the batch, as many as the plan says", Run: micro},
		{Name: "autodiff", Doc: "replace grad by the reverse-mode gradient", Phase: ir.Differentiated, Run: autodiff,
			After: map[string]string{"micro": "slices are cut before gradients are written"}},
		{Name: "precision", Doc: "let real be f32 or bf16, as the train block says", Run: precision,
			After: map[string]string{"autodiff": "gradients of real values are real"}},
		{Name: "moments", Doc: "take variances in one pass over memory", Run: moments, Needs: differentiated,
			After: map[string]string{"autodiff": "gradients are written from the mean of squares"}},
		{Name: "order", Doc: "take sums over examples in chunks and by pairs, where they are to be the same on any devices", Run: order, Needs: differentiated},
		{Name: "propagate", Doc: "derive how each value lies on the plan's mesh, and where it must move", Run: propagate, Needs: differentiated,
			After: map[string]string{
				"autodiff":  "gradients lie as their parameters do",
				"precision": "what a move costs depends on the dtype",
				"order":     "chunks are cut like other dims",
			}},
		{Name: "partition", Doc: "make the program of each device, with its collectives", Run: partition, Needs: differentiated,
			After: map[string]string{"propagate": "sizes and collectives follow from shardings"}},
		{Name: "collectives", Doc: "take small collectives out of loops, and make one of several", Run: collectives, Needs: differentiated,
			After: map[string]string{"partition": "collectives are what it moves"}},
		{Name: "prefetch", Doc: "gather a layer's parameters while the layer before it is computed", Run: prefetch, Needs: differentiated,
			After: map[string]string{
				"partition":   "collectives are what it moves",
				"collectives": "what has left a loop need not be brought ahead",
			}},
		{Name: "fence", Doc: "keep XLA from making inside a product what is cheaper made once", Run: fence, Needs: differentiated,
			After: map[string]string{"partition": "what is small on a device needs no fence"}},
		{Name: "overlap", Doc: "hide communication behind the products that it feeds or that feed it", Run: overlap, Needs: differentiated,
			After: map[string]string{
				"partition": "collectives are what it hides",
				"fence":     "blocks of a product are no reason to make its operands twice",
			}},
		{Name: "fuse", Doc: "group ops into kernels", Run: fuse, Needs: differentiated,
			After: map[string]string{"precision": "a kernel's loads and stores have machine dtypes"}},
		{Name: "asynchronous", Doc: "start collectives early, and wait for them late", Run: asynchronous, Needs: differentiated,
			After: map[string]string{
				"partition": "collectives are what it takes apart",
				"prefetch":  "what a turn gathers for the next one is under way as long as the turn",
				"overlap":   "the sends of rings and exchanges are transfers like others",
				"fuse":      "kernels are what transfers run beside",
			}},
		{Name: "memory", Doc: "give every value its place, and state its own again", Phase: ir.Scheduled, Run: memory, Needs: machineTyped,
			After: map[string]string{
				"fuse":         "values inside kernels live in registers",
				"asynchronous": "what is under way keeps its place",
			}},
	}
	for target, names := range pipelines {
		if err := misplaced(names); err != nil {
			panic(fmt.Sprintf("pipeline of %s: %v", target, err))
		}
	}
}

// differentiated asks for a module without gradients.
func differentiated(m *ir.Module) string {
	if m.Phase == ir.Built {
		return "the module is as built, autodiff comes first"
	}
	return ""
}

// machineTyped asks for a differentiated module without values of dtype real.
func machineTyped(m *ir.Module) string {
	if lack := differentiated(m); lack != "" {
		return lack
	}
	for _, f := range m.Funcs {
		lack := ""
		f.Body.Walk(func(op *ir.Op) {
			if slices.ContainsFunc(op.Out, func(v *ir.Value) bool { return v.Type.DType == ir.Real }) {
				lack = "the module has values of dtype real, precision comes first"
			}
		})
		if lack != "" {
			return lack
		}
	}
	return ""
}

// misplaced says which pass of a pipeline stands before one that it must follow. A pass that
// stands several times is judged by its first place.
func misplaced(names []string) error {
	for i, name := range names {
		p := Lookup(name)
		if p == nil {
			return fmt.Errorf("there is no pass %q", name)
		}
		for before, why := range p.After {
			if at := slices.Index(names, before); at > i && slices.Index(names, name) == i {
				return fmt.Errorf("%s stands before %s: %s", name, before, why)
			}
		}
	}
	return nil
}
