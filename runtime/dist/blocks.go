package dist

import "vitc/ir"

// blocks sees a dense row-major tensor as equal blocks along one of its dims: run bytes of each
// block stand together, count of which make the block, stride bytes apart.
type blocks struct {
	count, run, stride int
}

// along divides a dim of a type into n blocks.
func along(t ir.Type, dim, n int) blocks {
	b := blocks{count: 1, run: t.DType.Bytes()}
	for _, d := range t.Dims[:dim] {
		b.count *= d.Size
	}
	for _, d := range t.Dims[dim:] {
		b.run *= d.Size
	}
	b.stride = b.run
	b.run /= n
	return b
}

// bytes is the size of one block.
func (b blocks) bytes() int { return b.count * b.run }

// together reports whether a block's bytes stand in one run.
func (b blocks) together() bool { return b.count == 1 }

// view is the k-th block of x, where its bytes stand together.
func (b blocks) view(x []byte, k int) []byte { return x[k*b.run : (k+1)*b.run : (k+1)*b.run] }

// cut copies the k-th block out of x.
func (b blocks) cut(x []byte, k int, block []byte) {
	for i := range b.count {
		copy(block[i*b.run:(i+1)*b.run], x[i*b.stride+k*b.run:])
	}
}

// set copies a block to its place in x.
func (b blocks) set(x []byte, k int, block []byte) {
	for i := range b.count {
		copy(x[i*b.stride+k*b.run:], block[i*b.run:(i+1)*b.run])
	}
}
