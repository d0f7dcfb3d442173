package dist

import "context"

// Broadcast gives every rank what rank 0 has; what the others pass counts for nothing.
func Broadcast(ctx context.Context, t Transport, data []byte) ([]byte, error) {
	if t.Rank() > 0 {
		return receive(ctx, t, 0)
	}
	var sizes, sends []Message
	for r := 1; r < t.Size(); r++ {
		sizes = append(sizes, Message{r, tagAgree, length(data)})
		sends = append(sends, Message{r, tagAgree, data})
	}
	return data, t.Exchange(ctx, append(sizes, sends...), nil)
}

// receive takes data of a size that its sender tells first.
func receive(ctx context.Context, t Transport, from int) ([]byte, error) {
	size := make([]byte, 8)
	if err := t.Exchange(ctx, nil, []Message{{from, tagAgree, size}}); err != nil {
		return nil, err
	}
	data := make([]byte, le.Uint64(size))
	return data, t.Exchange(ctx, nil, []Message{{from, tagAgree, data}})
}

func length(data []byte) []byte { return le.AppendUint64(nil, uint64(len(data))) }

// Gather gives rank 0 what every rank has, by rank, and the others nil.
func Gather(ctx context.Context, t Transport, data []byte) ([][]byte, error) {
	if t.Rank() > 0 {
		return nil, t.Exchange(ctx, []Message{{0, tagAgree, length(data)}, {0, tagAgree, data}}, nil)
	}
	all := [][]byte{data}
	for r := 1; r < t.Size(); r++ {
		d, err := receive(ctx, t, r)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Any reports on every rank whether one of them says yes.
func Any(ctx context.Context, t Transport, yes bool) (bool, error) {
	mine := []byte{0}
	if yes {
		mine[0] = 1
	}
	theirs := make([]byte, t.Size())
	var sends, recvs []Message
	for r := range t.Size() {
		if r != t.Rank() {
			sends = append(sends, Message{r, tagAgree, mine})
			recvs = append(recvs, Message{r, tagAgree, theirs[r : r+1]})
		}
	}
	if err := t.Exchange(ctx, sends, recvs); err != nil {
		return false, err
	}
	for _, b := range theirs {
		yes = yes || b != 0
	}
	return yes, nil
}

// Barrier waits until every rank has come to it.
func Barrier(ctx context.Context, t Transport) error {
	_, err := Any(ctx, t, false)
	return err
}
