package passes

import (
	"fmt"
	"math"
	"strings"

	"vitc/ir"
)

// numbering gives ops of equal computation equal keys.
type numbering struct {
	ids map[*ir.Value]int
}

func (n *numbering) id(v *ir.Value) string {
	if v.Lit != nil {
		return fmt.Sprintf("%s:%x", v.Type.DType, math.Float64bits(*v.Lit))
	}
	if _, ok := n.ids[v]; !ok {
		n.ids[v] = len(n.ids)
	}
	return fmt.Sprint(n.ids[v])
}

// key is empty for ops that are not to be shared.
func (n *numbering) key(op *ir.Op) string {
	if op.Body != nil || op.Row.Name == "fence" || op.Row.Name == "grad" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %+v", op.Row.Name, op.Rule, op.Out[0].Type.DType, op.Attrs)
	for _, d := range op.Out[0].Type.Dims {
		fmt.Fprintf(&b, " %d", d.Size)
	}
	if s := op.Out[0].Type.Shard; s != nil {
		fmt.Fprintf(&b, " %+v", *s) // a zero in parts is another value than a zero
	}
	for _, v := range op.In {
		b.WriteString(" %" + n.id(v))
	}
	return b.String()
}
