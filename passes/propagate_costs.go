package passes

import (
	"math"

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

	// crowding is the part of hidden sends' time that is counted: others wait for their links, and not
	// every exchange finds a product that hides it.
	crowding = 1. / 8
)

// moving is the time of a move that leaves some bytes, but for the latency of links: small moves
// are combined later, and then share it.
func (r *router) moving(m move, result float64) float64 {
	moved, _ := r.model.Traffic(m.row, m.bytes, m.over)
	if moved == 0 {
		return 0
	}
	return r.model.Wire(m.row, moved, m.over) + r.leaving(m, result)
}

// leaving is what tells routes of equal traffic apart.
func (r *router) leaving(m move, result float64) float64 {
	memory := r.model.Pass(result)
	if m.dim > 0 {
		memory *= inPieces
	}
	return forMemory*memory + perMove
}

// exchanged is the time of a move that scatters what products of some seconds make, done by an
// exchange along its first axis, whose sends products as long can hide. It is infinite for others.
func (r *router) exchanged(m move, work, result float64) float64 {
	if work == 0 || m.row != "reduce_scatter" || r.mesh.Size(m.over[0]) > mostOwners {
		return math.Inf(1)
	}
	sends := r.model.Sends(m.bytes, m.over[0])
	if sends > work {
		return math.Inf(1)
	}
	rest, _ := r.model.Traffic(m.row, m.bytes/float64(r.mesh.Size(m.over[0])), m.over[1:])
	return crowding*sends + r.model.Wire(m.row, rest, m.over[1:]) + r.leaving(m, result)
}
