package ir

import (
	"fmt"
	"slices"
	"strings"
)

// A Rule maps every dim of an op's operands and results to factors: the indices of the
// loop nest that computes the op. Written [bk,kf->bf]; a dim of several factors is in
// parentheses, major first, and () is a dim of size one that no factor moves along.
type Rule struct {
	In, Out []Term
	Factors []Factor
}

// A Term gives each dim of one tensor its factors, as indices into Rule.Factors.
type Term []DimFactors

// DimFactors are the factors of one dim, major first.
type DimFactors []int

// Factor is one index of the loop nest.
type Factor struct {
	Name byte
	Size int // 0: not bound yet
	Kind FactorKind
}

// FactorKind says what sharding a factor would cost.
type FactorKind uint8

// The kinds of factors.
const (
	Parallel   FactorKind = iota
	Contracted            // summed away: sharded, it leaves the result partial
	Whole                 // must be whole on each device
	Moving                // positions move: sharded, it costs a neighbour exchange
)

const factorNames = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// ParseRule reads the notation of String, without brackets: "bk,kf->bf".
func ParseRule(s string) (Rule, error) {
	var r Rule
	index := map[byte]int{}
	left, right, ok := strings.Cut(s, "->")
	if !ok {
		return r, fmt.Errorf("rule %q has no ->", s)
	}
	terms := func(part string) ([]Term, error) {
		var out []Term
		for _, text := range strings.Split(part, ",") {
			t, err := parseTerm(strings.TrimSpace(text), &r, index)
			if err != nil {
				return nil, fmt.Errorf("rule %q: %w", s, err)
			}
			out = append(out, t)
		}
		return out, nil
	}
	var err error
	if strings.TrimSpace(left) != "" || !strings.HasPrefix(strings.TrimSpace(s), "->") {
		if r.In, err = terms(left); err != nil {
			return r, err
		}
	} else {
		r.In = []Term{{}}
	}
	if r.Out, err = terms(right); err != nil {
		return r, err
	}
	r.classify()
	return r, nil
}

// MustRule is ParseRule for rules written in code.
func MustRule(s string) Rule {
	r, err := ParseRule(s)
	if err != nil {
		panic(&Bug{Msg: err.Error()})
	}
	return r
}

func parseTerm(s string, r *Rule, index map[byte]int) (Term, error) {
	t := Term{}
	factor := func(c byte) (int, error) {
		if strings.IndexByte(factorNames, c) < 0 {
			return 0, fmt.Errorf("%q is no factor", c)
		}
		i, ok := index[c]
		if !ok {
			i = len(r.Factors)
			index[c] = i
			r.Factors = append(r.Factors, Factor{Name: c})
		}
		return i, nil
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '(' {
			f, err := factor(s[i])
			if err != nil {
				return nil, err
			}
			t = append(t, DimFactors{f})
			continue
		}
		end := strings.IndexByte(s[i:], ')')
		if end < 0 {
			return nil, fmt.Errorf("( without )")
		}
		d := DimFactors{}
		for _, c := range []byte(s[i+1 : i+end]) {
			f, err := factor(c)
			if err != nil {
				return nil, err
			}
			d = append(d, f)
		}
		t = append(t, d)
		i += end
	}
	return t, nil
}

// classify marks the factors that no result has as contracted.
func (r *Rule) classify() {
	kept := make([]bool, len(r.Factors))
	for _, t := range r.Out {
		t.each(func(f int) { kept[f] = true })
	}
	for i := range r.Factors {
		if !kept[i] {
			r.Factors[i].Kind = Contracted
		}
	}
}

func (t Term) each(f func(int)) {
	for _, d := range t {
		for _, i := range d {
			f(i)
		}
	}
}

// Has reports whether the term has a factor.
func (t Term) Has(factor int) bool {
	found := false
	t.each(func(f int) { found = found || f == factor })
	return found
}

// String prints the rule in brackets.
func (r Rule) String() string {
	if len(r.In) == 0 && len(r.Out) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('[')
	r.writeTerms(&b, r.In)
	b.WriteString("->")
	r.writeTerms(&b, r.Out)
	b.WriteByte(']')
	return b.String()
}

func (r Rule) writeTerms(b *strings.Builder, terms []Term) {
	for i, t := range terms {
		if i > 0 {
			b.WriteByte(',')
		}
		for _, d := range t {
			if len(d) != 1 {
				b.WriteByte('(')
			}
			for _, f := range d {
				b.WriteByte(r.Factors[f].Name)
			}
			if len(d) != 1 {
				b.WriteByte(')')
			}
		}
	}
}

// Bind gives the factors their sizes from the types of operands and results (results may
// be nil where the operands decide), and checks that all dims agree.
func (r Rule) Bind(in, out []Type) (Rule, error) {
	r.Factors = append([]Factor(nil), r.Factors...)
	for i := range r.Factors {
		r.Factors[i].Size = 0
	}
	if len(in) != len(r.In) {
		return r, fmt.Errorf("rule %s is for %d operands, found %d", r, len(r.In), len(in))
	}
	// Dims of one factor decide sizes; dims of several are then solved for one, and at last checked.
	for pass := 0; pass < 3; pass++ {
		for i, t := range in {
			if err := r.bindTerm(r.In[i], t, pass); err != nil {
				return r, fmt.Errorf("operand %d: %w", i+1, err)
			}
		}
		for i, t := range out {
			if i >= len(r.Out) {
				return r, fmt.Errorf("rule %s gives %d results, found %d", r, len(r.Out), len(out))
			}
			if err := r.bindTerm(r.Out[i], t, pass); err != nil {
				return r, fmt.Errorf("result: %w", err)
			}
		}
	}
	for _, f := range r.Factors {
		if f.Size == 0 {
			return r, fmt.Errorf("factor %c of %s has no size", f.Name, r)
		}
	}
	return r, nil
}

func (r *Rule) bindTerm(t Term, ty Type, pass int) error {
	if len(t) != len(ty.Dims) {
		return fmt.Errorf("%s has %d dims, the rule %s wants %d", ty, len(ty.Dims), r, len(t))
	}
	for i, d := range t {
		if pass == 0 && len(d) == 1 {
			f := &r.Factors[d[0]]
			if f.Size == 0 {
				f.Size = ty.Dims[i].Size
			}
			if f.Size != ty.Dims[i].Size {
				return fmt.Errorf("factor %c is %d and %d", f.Name, f.Size, ty.Dims[i].Size)
			}
		}
		if len(d) != 1 && (pass == 2 || pass == 1 && r.open(d) == 1) {
			if err := r.bindJoined(d, ty.Dims[i].Size); err != nil {
				return err
			}
		}
	}
	return nil
}

// open counts the factors of a dim whose sizes are not known.
func (r *Rule) open(d DimFactors) int {
	n := 0
	for _, f := range d {
		if r.Factors[f].Size == 0 {
			n++
		}
	}
	return n
}

func (r *Rule) bindJoined(d DimFactors, size int) error {
	known, open := 1, -1
	for _, f := range d {
		switch {
		case r.Factors[f].Size > 0:
			known *= r.Factors[f].Size
		case open >= 0:
			return fmt.Errorf("sizes of %c and %c are both unknown", r.Factors[open].Name, r.Factors[f].Name)
		default:
			open = f
		}
	}
	if open >= 0 && size%known == 0 {
		r.Factors[open].Size = size / known
		known = size
	}
	if known != size {
		return fmt.Errorf("a dim of %d does not split into factors of %d", size, known)
	}
	return nil
}

// SizeOf is the size of a dim made of factors.
func (r Rule) SizeOf(d DimFactors) int {
	n := 1
	for _, f := range d {
		n *= r.Factors[f].Size
	}
	return n
}

// Cuttable reports whether devices can share a factor: not where it must be whole, nor where
// positions move out of the dim. Where they move in a circle, neighbours can exchange them.
func (r Rule) Cuttable(f int) bool {
	switch r.Factors[f].Kind {
	case Whole:
		return false
	case Moving:
		has := func(t Term) bool { return t.Has(f) }
		return slices.ContainsFunc(r.In, has) && slices.ContainsFunc(r.Out, has)
	}
	return true
}

// Free is a name that no factor of the rule has.
func (r Rule) Free() byte {
	for _, name := range []byte(factorNames) {
		if !slices.ContainsFunc(r.Factors, func(f Factor) bool { return f.Name == name }) {
			return name
		}
	}
	panic(&Bug{Msg: "a rule of more factors than there are letters"})
}

// Swap is the rule with other terms over the same factors, classified anew.
func (r Rule) Swap(in []Term, out ...Term) Rule {
	s := Rule{In: in, Out: out, Factors: append([]Factor(nil), r.Factors...)}
	for i := range s.Factors {
		s.Factors[i].Kind = Parallel
	}
	s.classify()
	return s.compact()
}

// compact drops factors that no term uses.
func (r Rule) compact() Rule {
	used := make([]int, len(r.Factors))
	for i := range used {
		used[i] = -1
	}
	var fs []Factor
	remap := func(terms []Term) []Term {
		out := make([]Term, len(terms))
		for i, t := range terms {
			out[i] = make(Term, len(t))
			for j, d := range t {
				out[i][j] = make(DimFactors, len(d))
				for k, f := range d {
					if used[f] < 0 {
						used[f] = len(fs)
						fs = append(fs, r.Factors[f])
					}
					out[i][j][k] = used[f]
				}
			}
		}
		return out
	}
	in, out := remap(r.In), remap(r.Out)
	return Rule{In: in, Out: out, Factors: fs}
}

// PointwiseRule is the rule of n operands of one rank, with rank-0 operands joining.
func PointwiseRule(in []Type, out Type) Rule {
	r := Rule{Out: []Term{{}}}
	for i, d := range out.Dims {
		r.Factors = append(r.Factors, Factor{Name: factorNames[i%len(factorNames)], Size: d.Size})
		r.Out[0] = append(r.Out[0], DimFactors{i})
	}
	for _, t := range in {
		term := Term{}
		if t.Rank() > 0 {
			term = r.Out[0]
		}
		r.In = append(r.In, term)
	}
	return r
}
