package passes

import "vitc/ir"

// precision lets every real be the function's working precision: f32, or bf16 with f32 kept
// where the program says f32. Literals take the dtype of what they join.
func precision(m *ir.Module, _ *Context) {
	for _, f := range m.Funcs {
		to := f.Precision
		if to == ir.Invalid {
			to = ir.F32
		}
		lower(f.Body, to)
	}
}

func lower(r *ir.Region, to ir.DType) {
	set := func(vs []*ir.Value) {
		for _, v := range vs {
			if v.Type.DType == ir.Real {
				v.Type.DType = to
			}
		}
	}
	set(r.Params)
	for _, op := range r.Ops {
		for i, v := range op.In {
			if v.Lit != nil && v.Type.DType == ir.Real {
				op.In[i] = ir.Literal(to, *v.Lit)
			}
		}
		set(op.Out)
		if op.Body != nil {
			lower(op.Body, to)
		}
	}
}
