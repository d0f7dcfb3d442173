package ir

import (
	"slices"
	"strings"
)

// Under reports whether a path is one that the pattern matches, or lies under one: what a line
// of a plan for an instance speaks of.
func Under(pattern, path string) bool { return MatchPath(pattern+".**", path) }

// MatchPath reports whether a pattern matches a path: `*` is anything within one part, `**`
// any number of parts. Where parts do not match, only the last `**` takes one more: what the
// ones before it took can stay, so that the work is at most the product of the lengths.
func MatchPath(pattern, path string) bool {
	want, have := strings.Split(pattern, "."), strings.Split(path, ".")
	i, star, taken := 0, -1, 0 // taken: where the parts behind the last `**` begin
	for k := 0; k < len(have); {
		switch {
		case i < len(want) && want[i] == "**":
			star, taken = i, k
			i++
		case i < len(want) && MatchName(want[i], have[k]):
			i++
			k++
		case star >= 0:
			taken++
			i, k = star+1, taken
		default:
			return false
		}
	}
	return !slices.ContainsFunc(want[i:], func(part string) bool { return part != "**" })
}

// MatchName reports whether a pattern matches a name: `*` is any run of characters.
func MatchName(pattern, part string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == part
	}
	rest, ok := strings.CutPrefix(part, pieces[0])
	if !ok {
		return false
	}
	for _, p := range pieces[1 : len(pieces)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, pieces[len(pieces)-1])
}
