package train

import (
	"vitc/runtime/data"
	"vitc/runtime/layout"
)

// rows is the rows of a field that the machine's devices need for a function, of a batch of some
// size: all of them, unless other processes have the rest.
func (r *Run) rows(fn, field string, size int) data.Span {
	m, ok := r.m.(layout.Machine)
	if !ok {
		return data.Span{From: 0, To: size}
	}
	from, to := m.Rows(fn, field)
	return data.Span{From: from, To: to}
}

// share is the rows of a batch that some field of it needs; those are read.
func (r *Run) share(ds *data.Dataset, fn string, size int) data.Span {
	all := data.Span{From: size}
	for _, f := range ds.Fields() {
		if s := r.rows(fn, f.Name, size); s.From < s.To {
			all = data.Span{From: min(all.From, s.From), To: max(all.To, s.To)}
		}
	}
	return data.Span{From: min(all.From, all.To), To: all.To}
}

// fields names the buffers of the rows of a batch's share, each cut to what its field needs.
func (r *Run) fields(ds *data.Dataset, fn string, size int, buffers [][]byte) map[string][]byte {
	share := r.share(ds, fn, size)
	inputs := make(map[string][]byte, len(buffers))
	for i, f := range ds.Fields() {
		if s := r.rows(fn, f.Name, size); s.From < s.To {
			inputs[f.Name] = buffers[i][(s.From-share.From)*f.Bytes() : (s.To-share.From)*f.Bytes()]
		}
	}
	return inputs
}
