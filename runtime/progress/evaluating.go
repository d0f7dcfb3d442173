package progress

import "fmt"

// Evaluating tells that an evaluation has seen done of its examples, so that a long one does
// not look like a hang.
func (p *Progress) Evaluating(name string, done, examples int) {
	now, since, every := p.now(), p.shown, p.o.Every
	if p.bar != nil {
		every = redrawEvery
	}
	if since.IsZero() {
		since = p.began
	}
	if now.Sub(since) < every || done >= examples {
		return
	}
	p.shown = now
	step := p.samples[len(p.samples)-1].step
	list := []part{{fmt.Sprintf("step %d/%d", step, p.o.Total), 0}, {fmt.Sprintf("evaluating %s %d/%d", name, done, examples), 1}}
	if p.bar == nil {
		p.line(join(list))
		return
	}
	p.draw(step, list)
}
