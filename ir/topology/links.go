package topology

// Hop is the latency of one link, in seconds.
const Hop = 1e-6

// Lane is what transfers queue for: a dimension of the torus, or one direction of it.
type Lane struct{ Dim, Direction int }

// Links is what joins a group of devices.
type Links struct {
	Rate    float64 // bytes/s into a device, all dimensions at once; 0: no link, a chip's cores or one device
	Fastest float64 // bytes/s of the fastest dimension alone
	Hops    int     // links that data crosses one after the other
	Lanes   []Lane
	Even    bool // the dimensions are of one size
}

// Across is what joins the devices of a group in a collective: each dimension in which they differ
// is a ring, or a line, of its own, and all work at once. Those that step over chips share links
// with the groups between.
func (t *Topology) Across(group []int) Links {
	l := Links{Even: true}
	first := 0
	for d, size := range t.Shape {
		places, stride := t.places(group, d)
		if places < 2 {
			continue
		}
		whole := places == size
		rate := t.Chip.Link
		if t.Wraps(d) && (whole || stride > 1) {
			rate *= 2
		}
		rate /= float64(stride)
		l.Lanes = append(l.Lanes, Lane{Dim: d})
		if first == 0 {
			first = places
		}
		l.Even = l.Even && places == first
		l.Rate, l.Fastest = l.Rate+rate, max(l.Fastest, rate)
		if whole && t.Wraps(d) {
			l.Hops += places / 2
		} else {
			l.Hops += places - 1
		}
	}
	return l
}

// places counts the places of a group along a dimension, and says how far the first two are
// apart.
func (t *Topology) places(group []int, d int) (n, stride int) {
	at := make([]bool, t.Shape[d])
	for _, id := range group {
		at[t.along(id, d)] = true
	}
	first, second := -1, -1
	for i, there := range at {
		switch {
		case !there:
			continue
		case first < 0:
			first = i
		case second < 0:
			second = i
		}
		n++
	}
	return n, max(1, second-first)
}

// along is the place of a device along one dimension.
func (t *Topology) along(id, d int) int {
	id /= t.Chip.Cores
	for _, n := range t.Shape[:d] {
		id /= n
	}
	return id % t.Shape[d]
}

// Exchange is what an exchange between pairs asks of the links.
type Exchange struct {
	Busiest  int // messages that cross the busiest link
	Farthest int // links that the farthest message crosses
	Lanes    []Lane
}

// Exchange routes messages between pairs of places in devices: each takes the shortest way,
// dimension by dimension.
func (t *Topology) Exchange(devices []int, pairs [][2]int) Exchange {
	const directions = 2
	var e Exchange
	load := make([]int, t.Devices()*len(t.Shape)*directions)
	used := map[Lane]bool{}
	for _, p := range pairs {
		hops := 0
		at, _ := t.Coords(devices[p[0]])
		for d, n := range t.Shape {
			steps := t.steps(devices, p, d)
			way := 1
			if steps < 0 {
				way = -1
			}
			for range max(steps, -steps) {
				link := (t.ID(at, 0)/t.Chip.Cores*len(t.Shape)+d)*directions + (way+1)/2
				load[link]++
				e.Busiest = max(e.Busiest, load[link])
				used[Lane{d, way}] = true
				at[d] = (at[d] + way + n) % n
				hops++
			}
		}
		e.Farthest = max(e.Farthest, hops)
	}
	for d := range t.Shape {
		for _, way := range []int{-1, 1} {
			if used[Lane{d, way}] {
				e.Lanes = append(e.Lanes, Lane{d, way})
			}
		}
	}
	return e
}

// steps is the way of a pair along a dimension, negative downwards. Where both ways around a
// ring are equally long, even places go down and odd ones up.
func (t *Topology) steps(devices []int, pair [2]int, d int) int {
	n := t.Shape[d]
	steps := t.along(devices[pair[1]], d) - t.along(devices[pair[0]], d)
	if !t.Wraps(d) {
		return steps
	}
	steps = (steps+n/2+n)%n - n/2
	if n%2 == 0 && steps == -n/2 && pair[0]%2 == 1 {
		steps = n / 2
	}
	return steps
}
