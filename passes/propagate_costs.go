package passes

import (
	"vitc/ir"
	"vitc/ir/cost"
)

// priced is the cost model of a plan's machine, or of the usual one where a plan names none, or a
// mesh that is not its machine's: what is wrong with it is not for a pass to say.
func priced(p *ir.Plan) *cost.Model {
	m, err := cost.On(p)
	if err != nil {
		return cost.Usual(p.Mesh)
	}
	return m
}

// Routes of equal traffic are told apart by what they leave to memory, a millionth of that time, and
// then by their moves. Along the leading dim blocks lie one behind the other; along others they lie
// in pieces, which compilers put in order in a further pass.
const (
	perMove   = 1e-18
	forMemory = 1e-6
	inPieces  = 2
)

// moving is the time of a move that leaves some bytes, but for the latency of links: small moves
// are combined later, and then share it.
func (r *router) moving(m move, result float64) float64 {
	moved, _ := r.model.Traffic(m.row, m.bytes, m.over)
	if moved == 0 {
		return 0
	}
	memory := r.model.Pass(result)
	if m.dim > 0 {
		memory *= inPieces
	}
	return moved/r.model.Rate(m.over) + forMemory*memory + perMove
}
