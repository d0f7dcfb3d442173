package llvm

import (
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
)

// A loop kernel does its points, that is the positions of all axes but the vector axis and
// those summed over, in tasks of some consecutive ones.
//
// columns: the vector axis is kept, every lane has sums of its own, and the summed axes are
// loops inside. Without sums these are plain maps.
// rows: the vector axis is summed over; a point is a row, or many, and its lanes are summed
// at last. Short rows are held in registers from the first sum to the last use.

// schedule says how a loop kernel is cut into lanes, points and tasks.
type schedule struct {
	axis   int // the vector axis, -1: there is none
	width  int // lanes
	byRow  bool
	held   bool // rows: each stays in registers
	unroll int  // vectors at a time

	points         []int // axes, outermost first
	blocks, block  int   // columns: the vector axis is cut in blocks of that many elements
	chunk          int   // a summed axis that is cut in chunks, -1: none
	chunks, length int
	count, per     int // points with blocks and chunks; per task
	tasks          int
}

// What schedules are made for, in nanoseconds: rough, and constant so that the same program
// compiles to the same code everywhere.
const (
	taskTime      = 15e3
	bytesPerNano  = 12.0
	flopsPerNano  = 2.0 // for each lane
	pointTime     = 4.0
	maxTasks      = 512
	heldPieces    = 8
	heldOps       = 700 // vector ops of a row held in registers
	lightFlops    = 24  // of a body that is worth unrolling
	chunkedPoints = 16  // kernels of fewer points cut their sums in chunks
)

// chunking says when sums are cut in chunks.
type chunking uint8

const (
	never     chunking = iota
	fewPoints          // where there are few points, so that there are tasks for all threads
	longSums           // where they are long, whatever the points: those may be a device's share
)

// newSchedule decides for a space.
func newSchedule(s *space, isa cpu.Level, chunks chunking) schedule {
	d := schedule{axis: len(s.axes) - 1, width: isa.Lanes(), chunk: -1, blocks: 1, unroll: 1}
	if d.axis >= 0 {
		for d.width/2 >= s.axes[d.axis].size {
			d.width /= 2
		}
		d.byRow = s.axes[d.axis].sum
	} else {
		d.width = 1
	}
	for _, a := range s.outer() {
		if a != d.axis {
			d.points = append(d.points, a)
		}
	}
	vectors := 1
	if d.axis >= 0 {
		vectors = (s.axes[d.axis].size + d.width - 1) / d.width
	}
	ops, flops := s.weight()
	if flops <= lightFlops {
		d.unroll = min(4, vectors)
	} else {
		d.unroll = min(2, vectors)
	}
	if n := len(s.sums); n > 0 { // accumulators stay in registers
		d.unroll = max(1, min(d.unroll, isa.Registers()/2/n))
	}
	d.held = d.byRow && len(s.summed()) == 1 && vectors <= heldPieces && vectors*ops <= heldOps &&
		len(pieces(s.axes[d.axis].size, d.width, isa)) <= heldPieces
	d.cut(s, s.time(flops, d.width), chunks)
	return d
}

// weight counts the ops of a body and their FLOPs at one position of all axes.
func (s *space) weight() (ops, flops int) {
	all := bit(len(s.axes)) - 1
	for _, op := range s.body.Ops {
		span := s.spans[op.Out[0]]
		if s.sums[op] {
			span = s.spans[op.In[0]]
		}
		if span == all {
			ops++
			flops += op.Row.Flops
		}
	}
	return ops, flops
}

// time estimates the kernel's nanoseconds on one core.
func (s *space) time(flops, lanes int) float64 {
	bytes := 0
	for _, v := range append(append([]*ir.Value(nil), s.body.Params...), s.body.Yield...) {
		bytes += v.Type.Bytes()
	}
	points := float64(s.size(s.outer()))
	all := points * float64(s.size(s.summed()))
	return float64(bytes)/bytesPerNano + all*float64(flops)/(flopsPerNano*float64(lanes)) + points*pointTime/float64(lanes)
}

// cut makes blocks, chunks and tasks of about taskTime.
func (d *schedule) cut(s *space, time float64, chunks chunking) {
	want := min(maxTasks, max(1, int(time/taskTime)))
	n := s.size(d.points)
	if !d.byRow && d.axis >= 0 && n < want {
		group := d.width * d.unroll
		d.block = (s.axes[d.axis].size/((want+n-1)/n) + group) / group * group
		d.blocks = max(1, (s.axes[d.axis].size+d.block-1)/d.block)
	}
	n *= d.blocks
	switch {
	case chunks == never || !s.chunkable():
	case chunks == longSums && s.size(s.summed()) >= longSum:
		n *= d.inChunks(s, s.axes[s.widestSum()].size*longSum/s.size(s.summed()))
	case chunks == fewPoints && n < min(want, chunkedPoints):
		n *= d.inChunks(s, s.axes[s.widestSum()].size*n/want)
	}
	if d.chunks <= 1 {
		d.chunk = -1
	}
	d.held = d.held && d.chunk < 0
	d.count = n
	d.per = (n + min(want, n) - 1) / min(want, n)
	d.tasks = (n + d.per - 1) / d.per
}

// longSum is how many terms make a long sum, and a chunk of one.
const longSum = 32 << 10

// inChunks cuts the widest sum in chunks of about a length, and gives their number.
func (d *schedule) inChunks(s *space, length int) int {
	d.chunk, d.length = s.widestSum(), max(1, length)
	if d.chunk == d.axis { // whole vectors
		group := d.width * d.unroll
		d.length = (d.length + group - 1) / group * group
	}
	d.chunks = (s.axes[d.chunk].size + d.length - 1) / d.length
	return d.chunks
}

// pieces cuts a run of elements into whole vectors and a rest: a masked vector where the
// level has masks, else shorter and shorter vectors.
func pieces(count, lanes int, isa cpu.Level) []piece {
	var ps []piece
	at := 0
	for ; count-at >= lanes; at += lanes {
		ps = append(ps, piece{at, lanes, lanes})
	}
	if count > at && isa.HasMasks() {
		return append(ps, piece{at, lanes, count - at})
	}
	for n := lanes / 2; n >= 1; n /= 2 {
		if count-at >= n {
			ps = append(ps, piece{at, n, n})
			at += n
		}
	}
	return ps
}
