package data

import "sync/atomic"

// cached keeps the images of a source, as they are read, until the budget is spent. Which
// ones it keeps depends on the order of reading; what it returns does not.
type cached struct {
	source
	slots  []atomic.Pointer[Image]
	budget atomic.Int64 // bytes left
}

func newCached(s source, budget int64) *cached {
	c := &cached{source: s, slots: make([]atomic.Pointer[Image], s.len())}
	c.budget.Store(budget)
	return c
}

func (c *cached) image(i int) (*Image, error) {
	if m := c.slots[i].Load(); m != nil {
		return m, nil
	}
	m, err := c.source.image(i)
	if err == nil && c.budget.Load() > 0 && c.budget.Add(-int64(len(m.Pix))) >= 0 {
		c.slots[i].Store(m)
	}
	return m, err
}
