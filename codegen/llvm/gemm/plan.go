package gemm

import "vitc/codegen/llvm/cpu"

// Plan is how a Spec is computed.
type Plan struct {
	MR, NV     int // a tile: rows (some have one less), vectors of columns
	NR         int // columns of a tile, NV vectors
	MT, NP     int // tiles and panels of a block: a task
	KC         int // of K at a time
	MB, NB, KB int // blocks over M, N, K
	PackA      bool
	PackB      bool // copied by each thread
	Tasks      int  // MB*NB; task t is block (t%MB, t/MB)
	Scratch    int  // bytes of scratch memory a thread needs, aligned to 64
	FLOPs      int64

	tiles, panels int // over all of C
	tall          int // the first tiles have MR rows, the others MR-1
	tailN         int // columns of the last panel
	scratchA      int // where packed A starts in scratch; packed B starts at 0
}

// The sizes that plans are made for. They are constants, not this machine's, so that
// the same program compiles to the same code everywhere.
const (
	cacheL1 = 32 << 10
	cacheL2 = 1 << 20
)

// Plan chooses tiles, blocks and packing. The Spec must pass Check.
func (s *Spec) Plan() Plan {
	p := Plan{FLOPs: s.FLOPs()}
	p.chooseTile(s)
	p.chooseK(s)
	p.PackB = s.packB(&p)
	p.PackA = s.packA(&p)
	p.chooseBlocks(s)
	p.layout(s)
	return p
}

// tileShape is a tile that the registers of a level hold.
type tileShape struct{ mr, nv int }

// shapes lists the tiles considered, the best for large matrices first: accumulators,
// NV vectors of B and one of A must fit (and a product, without fused multiply-add).
func shapes(isa cpu.Level) []tileShape {
	switch isa {
	case cpu.AVX512:
		return []tileShape{{14, 2}, {9, 3}, {6, 4}, {28, 1}}
	case cpu.AVX2:
		return []tileShape{{6, 2}, {4, 3}, {13, 1}}
	}
	return []tileShape{{4, 2}, {9, 1}}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(n, to int) int { return ceilDiv(n, to) * to }

// chooseTile takes the shape with the least estimated time. Rows are dealt evenly to as
// few tiles as that shape allows, so that no tile is left with a row or two.
func (p *Plan) chooseTile(s *Spec) {
	best := 0.0
	vl := s.ISA.Lanes()
	for _, t := range shapes(s.ISA) {
		tiles := ceilDiv(s.M, t.mr)
		mr := ceilDiv(s.M, tiles)
		tall := s.M - tiles*(mr-1)
		nv := min(t.nv, ceilDiv(s.N, vl))
		panels := ceilDiv(s.N, nv*vl)
		lastN := s.N - (panels-1)*nv*vl
		column := func(nv int) float64 {
			return float64(tall)*tileCost(mr, nv, s.K) + float64(tiles-tall)*tileCost(mr-1, nv, s.K)
		}
		cost := float64(panels-1)*column(nv) + column(ceilDiv(lastN, vl))
		if best == 0 || cost < best {
			best = cost
			p.MR, p.NV, p.NR = mr, nv, nv*vl
			p.tiles, p.panels, p.tall, p.tailN = tiles, panels, tall, lastN
		}
	}
}

// tileCost estimates the cycles of a tile: two multiply-adds or two loads a
// cycle, at least the latency of one multiply-add a step, and what starting and storing
// it costs.
func tileCost(mr, nv, k int) float64 {
	step := max(float64(mr*nv)/2, float64(mr+nv)/2, 4)
	return float64(k)*step + float64(mr*nv)*1.5 + 25
}

// crossed reports whether a step of k goes to another line of A, as it does where A is
// transposed: the left factor of a weight gradient.
func (s *Spec) crossed() bool { return s.A.RowStride == 1 && s.A.ColStride != 1 && s.M > 1 }

// Lengths of a part of K.
const (
	partRows    = 1024 // of a panel of B, which is to stay in the second-level cache
	partCrossed = 512  // where A adds as many lines
	partSmall   = 384  // where tiles are small, and read B so often that it must be near
)

// chooseK splits K only where it is long: C is read and written once more for every
// part. Parts are equal, but for the last, and multiples of 16.
func (p *Plan) chooseK(s *Spec) {
	p.KC, p.KB = s.K, 1
	limit := partRows
	switch {
	case s.ISA < cpu.AVX512:
		limit = partSmall
	case s.crossed():
		limit = partCrossed
	}
	if whole := s.C.DType != F32 || s.ReadsC; s.K > limit && !whole {
		p.KC = roundUp(ceilDiv(s.K, ceilDiv(s.K, limit)), 16)
		p.KB = ceilDiv(s.K, p.KC)
	}
}

// packB decides whether each thread copies B. In place is as good while lines of a panel
// lie near one another; where they do not, a copy pays if there are tiles to share it.
func (s *Spec) packB(p *Plan) bool {
	switch {
	case s.Packing == PackNever || s.Packing == PackedB:
		return false
	case s.Packing == PackAlways || s.B.DType != F32 || s.B.ColStride != 1 && s.N > 1:
		return true
	case !s.ISA.HasMasks() && s.N%s.ISA.Lanes() != 0:
		return true // masked loads in the innermost loop are slow there, or branches
	}
	const enough = 24
	near := 3072 // bytes
	if s.ISA < cpu.AVX512 {
		near = 1024 // small tiles come by more often
	}
	far := s.B.RowStride*4 > near || p.KC > partCrossed && p.KB > 1
	return far && p.tiles >= enough && p.KC*p.NR*4 > cacheL1/2
}

// packA decides whether blocks of A are copied: to widen them, or where k crosses lines
// and enough panels share the copy. Lines along k need none, whatever their stride.
func (s *Spec) packA(p *Plan) bool {
	const enough = 6
	return s.A.DType != F32 || s.crossed() && p.panels >= enough
}

// Targets of chooseBlocks.
const (
	blockA      = cacheL2 / 4
	blockB      = cacheL2 / 4 * 5
	maxTiles    = 8       // of a block: more use of a panel gains nothing
	minTask     = 1 << 18 // FLOPs below which a task is not worth splitting
	wantedTasks = 32
)

// chooseBlocks groups panels so that a block's part of B fills the cache, tiles so that
// its part of A takes a quarter, then makes blocks smaller until there are tasks enough,
// blocks of rows first: those share what is packed.
func (p *Plan) chooseBlocks(s *Spec) {
	p.NP = clamp(blockB/(p.KC*p.NR*4), 1, p.panels)
	p.MT = clamp(blockA/(p.KC*p.MR*4), 1, min(maxTiles, p.tiles))
	wanted := int(min(wantedTasks, p.FLOPs/minTask))
	if wanted <= 1 {
		p.MT, p.NP = p.tiles, p.panels
	}
	count := func() int { return ceilDiv(p.tiles, p.MT) * ceilDiv(p.panels, p.NP) }
	for count() < wanted && p.MT > 1 {
		p.MT = ceilDiv(p.MT, 2)
	}
	for count() < wanted/4 && p.NP > 1 {
		p.NP = ceilDiv(p.NP, 2)
	}
	// Equal blocks.
	p.MT = ceilDiv(p.tiles, ceilDiv(p.tiles, p.MT))
	p.NP = ceilDiv(p.panels, ceilDiv(p.panels, p.NP))
	p.MB, p.NB = ceilDiv(p.tiles, p.MT), ceilDiv(p.panels, p.NP)
	p.Tasks = p.MB * p.NB
}

func clamp(n, lo, hi int) int { return max(lo, min(n, hi)) }

// layout sizes the scratch memory.
func (p *Plan) layout(s *Spec) {
	bytes := 0
	if p.PackB {
		bytes = p.NP * p.panelElems(s) * 4
	}
	p.scratchA = roundUp(bytes, 64)
	if p.PackA {
		bytes = p.scratchA + p.packedA(s).elems*4
	}
	p.Scratch = roundUp(bytes, 64)
}

// panelElems is the size of a packed panel of KC rows. Its rows are rounded up to whole
// vectors, as the transposing copy writes square blocks.
func (p *Plan) panelElems(s *Spec) int { return roundUp(p.KC, s.ISA.Lanes()) * p.NR }

// packedShape is how a packed block of A lies: in its own order, with strides that avoid
// powers of two.
type packedShape struct{ row, col, elems int }

func (p *Plan) packedA(s *Spec) packedShape {
	vl := s.ISA.Lanes()
	rows := p.MT * p.MR
	if s.A.RowStride == 1 && s.A.ColStride != 1 {
		stride := roundUp(rows, vl)
		return packedShape{1, stride, p.KC * stride}
	}
	stride := roundUp(p.KC, vl) + 16
	return packedShape{stride, 1, rows * stride}
}
