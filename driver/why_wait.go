package driver

import (
	"fmt"

	"vitc/ir"
	"vitc/ir/cost"
	"vitc/ir/diag"
)

// A move that propagation tells of becomes collectives of the partitioned step at the same place. They
// are joined by what both say, and where several say the same, by their order.

// collectiveKey is what a collective says of itself.
func collectiveKey(pos *diag.Loc, row string, over []string, operand float64) string {
	return fmt.Sprintf("%p %s %v %.0f", pos, row, over, operand)
}

// schedule notes what the core waits for in a partitioned step, by the cost model.
func (x *explainer) schedule(m *ir.Module) error {
	model, err := cost.On(x.plan)
	if err != nil {
		return placedAt(err, x.plan.Pos)
	}
	body := m.Funcs[0].Body
	_, transfers := model.Transfers(body, false)
	x.waits = map[string][]float64{}
	var visit func(r *ir.Region, turns int)
	visit = func(r *ir.Region, turns int) {
		for _, op := range r.Ops {
			if op.Body != nil {
				visit(op.Body, turns*op.Turns())
			}
			if over := ir.Over(op.Attrs); over != nil && len(op.In) > 0 {
				key := collectiveKey(op.Pos, op.Row.Name, over, float64(op.In[0].Type.Bytes()))
				exposed := 0.0
				if t := transfers[op]; t != nil {
					exposed = t.Exposed / float64(turns)
				}
				x.waits[key] = append(x.waits[key], exposed)
			}
		}
	}
	visit(body, 1)
	return nil
}

// waited takes what the core waits for the next collective of a place.
func (x *explainer) waited(pos *diag.Loc, row string, over []string, operand float64) float64 {
	key := collectiveKey(pos, row, over, operand)
	list := x.waits[key]
	if len(list) == 0 {
		return 0
	}
	x.waits[key] = list[1:]
	return list[0]
}
