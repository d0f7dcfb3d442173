package report

// stretch is an event in the folded step: each loop is drawn once, for one of its turns.
type stretch struct {
	*event
	at    float64 // seconds from the folded step's begin
	long  float64 // that it takes in the drawing
	depth int     // of loops around it
	times float64 // that it runs in a step
}

// fold lays the events of a step out with every loop unfolded for one turn, and says how long
// that is.
func fold(t *timeline, at float64, depth int, times float64) (list []stretch, long float64) {
	saved := 0.0 // what loops before an event take less in the drawing
	for i := range t.events {
		e := &t.events[i]
		s := stretch{event: e, at: at + e.start - saved, long: e.seconds, depth: depth, times: times}
		if e.body == nil {
			list = append(list, s)
			continue
		}
		inside, one := fold(e.body, s.at, depth+1, times*float64(e.trips))
		s.long = one
		saved += e.seconds - one
		list = append(append(list, s), inside...)
	}
	return list, t.Step - saved
}
