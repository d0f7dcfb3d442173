package ir

import "fmt"

// CheckCollective checks an op of a collective row by itself, wherever it comes from: its types
// are those that the row gives, over the axes of a mesh.
func CheckCollective(mesh Mesh, op *Op) error {
	if dim, to := dimsNamed(op.Attrs); min(dim, to) < 0 {
		return fmt.Errorf("names a dim before the first")
	}
	if _, err := op.Row.Types(op, []Type{op.Out[0].Type}); err != nil {
		return err
	}
	if err := verifyGroup(&Module{Mesh: mesh}, op); err != nil || op.Row.Name != "put" {
		return err
	}
	block := &Op{Row: Lookup("block"), Attrs: op.Attrs, In: op.In[:1], Out: op.In[1:]}
	if _, err := block.Row.Types(block, []Type{op.In[1].Type}); err != nil {
		return err
	}
	return verifyGroup(&Module{Mesh: mesh}, block)
}

// dimsNamed are the dims that a collective row's attributes name.
func dimsNamed(attrs any) (dim, to int) {
	switch a := attrs.(type) {
	case *BlockAttrs:
		return a.Dim, 0
	case *GatherAttrs:
		return a.Dim, 0
	case *ExchangeAttrs:
		return a.Dim, a.To
	}
	return 0, 0
}
