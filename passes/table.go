package passes

import "vitc/ir"

// table lists every pass in the order in which pipelines run them.
var table []Pass

// pipelines name each target's passes in order; a pass may stand more than once.
var pipelines = map[string][]string{
	"ref": {"simplify", "autodiff", "simplify", "precision", "simplify"},
	"cpu": {"simplify", "autodiff", "simplify", "precision", "simplify", "fuse", "memory"},
}

func init() {
	table = []Pass{
		{Name: "simplify", Doc: "fold constants, share equal values, drop what is not used", Run: simplify},
		{Name: "autodiff", Doc: "replace grad by the reverse-mode gradient", Phase: ir.Differentiated, Run: autodiff},
		{Name: "precision", Doc: "let real be f32 or bf16, as the train block says", Run: precision,
			After: map[string]string{"autodiff": "gradients of real values are real"}},
		{Name: "fuse", Doc: "group ops into kernels", Run: fuse,
			After: map[string]string{"precision": "a kernel's loads and stores have machine dtypes"}},
		{Name: "memory", Doc: "give every value its place, and state its own again", Phase: ir.Scheduled, Run: memory,
			After: map[string]string{"fuse": "values inside kernels live in registers"}},
	}
}
