package hlo

import "google.golang.org/protobuf/encoding/protowire"

// Groups are the sets of partitions that a collective joins. They are all equally large.
type Groups struct {
	first []int // the first one of a list
	grid  *grid
}

// grid is a way through a range of numbers: digits of sizes, the last one fastest, each worth a
// stride. The first `count` numbers on the way are the first group.
type grid struct {
	sizes, strides []int
	count          int
}

// First is the first group; of n partitions where nothing says otherwise all.
func (g *Groups) First(n int) []int {
	way := grid{sizes: []int{n}, strides: []int{1}, count: n}
	switch {
	case g != nil && g.grid != nil:
		way = *g.grid
	case g != nil && len(g.first) > 0:
		return g.first
	}
	group := make([]int, way.count)
	for k := range group {
		rest := k
		for i := len(way.sizes) - 1; i >= 0; i-- {
			group[k] += rest % way.sizes[i] * way.strides[i]
			rest /= way.sizes[i]
		}
	}
	return group
}

// mostPartitions bounds what a file may make us count: more than any machine has.
const mostPartitions = 1 << 16

// row numbers a grid of sizes row by row: the strides, and how many numbers there are.
func row(message string, sizes []int) (strides []int, total int, err error) {
	strides = make([]int, len(sizes))
	total = 1
	for i := len(sizes) - 1; i >= 0; i-- {
		strides[i] = total
		if sizes[i] < 1 || sizes[i] > mostPartitions/total {
			return nil, 0, bad(message, "a grid with a size of %d, or of more than %d partitions", sizes[i], mostPartitions)
		}
		total *= sizes[i]
	}
	return strides, total, nil
}

// readGroups reads a CollectiveDeviceListProto.
func readGroups(b []byte) (*Groups, error) {
	const message = "CollectiveDeviceListProto"
	g := &Groups{}
	err := each(message, b, func(f field) (err error) {
		switch {
		case f.num == 1 && g.first == nil: // replica_groups
			g.first, err = readList(f.data)
		case f.num == 2: // iota_replica_group_list
			g.grid, err = readRange(f.data)
		}
		return err
	})
	return g, err
}

// readList reads a ReplicaGroup.
func readList(b []byte) ([]int, error) {
	const message = "ReplicaGroup"
	lists, err := readInts(message, b)
	if err != nil {
		return nil, err
	}
	return smalls(message, "partition", lists[1])
}

// readInts reads a message of lists of numbers, by field.
func readInts(message string, b []byte) (map[protowire.Number][]int64, error) {
	lists := map[protowire.Number][]int64{}
	err := each(message, b, func(f field) (err error) {
		lists[f.num], err = f.ints(message, lists[f.num])
		return err
	})
	return lists, err
}

// readRange reads an IotaReplicaGroupListProto: a range is shaped (field 3), transposed (4) and
// cut into groups of one size (2).
func readRange(b []byte) (*grid, error) {
	const message = "IotaReplicaGroupListProto"
	lists, err := readInts(message, b)
	if err != nil {
		return nil, err
	}
	shape, err := smalls(message, "size", lists[3])
	if err != nil {
		return nil, err
	}
	strides, total, err := row(message, shape)
	if err != nil {
		return nil, err
	}
	if len(lists[2]) != 1 || lists[2][0] < 1 || lists[2][0] > int64(total) {
		return nil, bad(message, "groups of sizes %d of %d partitions", lists[2], total)
	}
	g := &grid{sizes: shape, strides: strides, count: int(lists[2][0])}
	if len(lists[4]) == 0 {
		return g, nil
	}
	g.sizes, g.strides = nil, nil
	for _, d := range lists[4] {
		if d < 0 || d >= int64(len(shape)) || len(lists[4]) != len(shape) {
			return nil, bad(message, "an order %d of %d dimensions", lists[4], len(shape))
		}
		g.sizes, g.strides = append(g.sizes, shape[d]), append(g.strides, strides[d])
	}
	return g, nil
}

// readMeshGroups reads a MeshAxesReplicaGroupListProto: the axes of a mesh, and which of them,
// or parts of them, a group runs along.
func readMeshGroups(b []byte) (*Groups, error) {
	const message = "MeshAxesReplicaGroupListProto"
	var sizes []int
	var used [][]byte
	err := each(message, b, func(f field) (err error) {
		switch f.num {
		case 1:
			sizes, err = readMesh(f.data)
		case 2:
			used = append(used, f.data)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	strides, _, err := row(message, sizes)
	if err != nil {
		return nil, err
	}
	g := &grid{count: 1}
	for _, u := range used {
		if err := g.along(u, sizes, strides); err != nil {
			return nil, err
		}
	}
	return &Groups{grid: g}, nil
}

// readMesh reads the sizes of a MeshProto's axes.
func readMesh(b []byte) ([]int, error) {
	const message = "MeshProto"
	var sizes []int
	err := each(message, b, func(f field) error {
		if f.num != 1 {
			return nil
		}
		return each("MeshAxis", f.data, func(a field) error {
			if a.num != 2 {
				return nil
			}
			n, err := small("MeshAxis", "size", int64(a.n))
			sizes = append(sizes, n)
			return err
		})
	})
	return sizes, err
}

// along adds an AxisRefProto to the way of a group: an axis by its index, or of that the part
// of some size that stands before some others.
func (g *grid) along(b []byte, sizes, strides []int) error {
	const message = "AxisRefProto"
	axis, before, part := uint64(0), uint64(1), uint64(0)
	err := each(message, b, func(f field) error {
		if f.num == 1 {
			axis = f.n
		}
		if f.num != 2 { // sub_axis_info
			return nil
		}
		return each("SubAxis", f.data, func(s field) error {
			switch s.num {
			case 1:
				before = s.n
			case 2:
				part = s.n
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if axis >= uint64(len(sizes)) {
		return bad(message, "axis %d of a mesh of %d", axis, len(sizes))
	}
	size, stride := uint64(sizes[axis]), strides[axis]
	if part > 0 {
		if before < 1 || before > size || part > size || size%(before*part) != 0 {
			return bad(message, "part %d after %d of an axis of %d", part, before, size)
		}
		stride *= int(size / (before * part))
		size = part
	}
	if int(size) > mostPartitions/g.count {
		return bad(message, "a group of more than %d partitions", mostPartitions)
	}
	g.sizes, g.strides, g.count = append(g.sizes, int(size)), append(g.strides, stride), g.count*int(size)
	return nil
}
