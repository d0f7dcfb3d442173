package diag

// Nearest returns the candidate that name was probably meant to be, or the empty string
// where none is near: at most one edit for every three letters, and one for short names.
// An edit is an insertion, a deletion, a replacement or a swap of neighbours. Of equally
// near candidates the one wins that begins most like name, and of those the first.
func Nearest(name string, candidates []string) string {
	best, limit := "", max(len(name)/3, 1)
	if len(name) < 2 || len(name) > 64 {
		return ""
	}
	for _, c := range candidates {
		if c == name || abs(len(c)-len(name)) > limit {
			continue
		}
		d := distance(name, c)
		if d > limit || d >= len(c) {
			continue
		}
		if d < limit || best == "" || commonPrefix(name, c) > commonPrefix(name, best) {
			best, limit = c, d
		}
	}
	return best
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// distance is the optimal string alignment distance in bytes.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func abs(x int) int { return max(x, -x) }
