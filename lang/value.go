package lang

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// value is what an expression evaluates to. The checker is an interpreter: compile-time
// values are computed, tensors are values of the IR under construction.
type value interface {
	// kind names the value in messages: "an int", "a tensor".
	kind() string
}

// The compile-time values.
type (
	// bad stands for what could not be evaluated; its error has been reported, and whatever
	// meets it is bad without another.
	bad struct{}
	// nothing is the result of a statement that only writes state.
	nothing struct{}
	boolean bool
	text    string
	// symbol is a word that only a setting knows: all, none, init, ema.
	symbol string
	dtype  ir.DType
	axes   []axis
	list   []value
	// namespace is a file in use.
	namespace struct{ file *source }
)

// num is an int or a float.
type num struct {
	v     float64
	whole bool
}

// record is (mixup: 0.2, layers: 2).
type record struct {
	names []string
	vals  map[string]value
}

// unsized is the size of an axis known by name alone.
const unsized = -1

// axis is a name with a size. A hidden axis rides along in every operation and is never
// shown: hidden counts from 1, outermost first, 0 for the axes that programs see.
type axis struct {
	name   string
	size   int
	hidden int
	origin diag.Pos // where its size was given
}

// is reports whether two axes are the same one, whatever their sizes.
func (a axis) is(b axis) bool { return a.name == b.name && a.hidden == b.hidden }

func (a axis) String() string {
	if a.size == unsized {
		return a.name
	}
	return a.name + ":" + strconv.Itoa(a.size)
}

// tensor is a value of the IR with the names of its axes, in the order of its dims. A value
// of rank 0 beside axes is the same at every position. A parameter is kept as stored and
// converted to real where it is used.
type tensor struct {
	axes axes
	d    ir.DType
	v    *ir.Value
	cell *cell // of a parameter that is read: v is its stored value
}

func (t *tensor) String() string {
	var names []string
	for _, a := range t.axes.visible() {
		names = append(names, a.String())
	}
	return t.d.String() + "[" + strings.Join(names, ", ") + "]"
}

func (bad) kind() string       { return "an error" }
func (nothing) kind() string   { return "no value" }
func (boolean) kind() string   { return "a bool" }
func (text) kind() string      { return "a string" }
func (symbol) kind() string    { return "a word" }
func (dtype) kind() string     { return "a dtype" }
func (axes) kind() string      { return "a list of axes" }
func (list) kind() string      { return "a list" }
func (namespace) kind() string { return "a file" }
func (axis) kind() string      { return "an axis" }
func (*record) kind() string   { return "a record" }
func (*tensor) kind() string   { return "a tensor" }
func (n num) kind() string {
	if n.whole {
		return "an int"
	}
	return "a float"
}

func whole(n int) num { return num{float64(n), true} }

func isBad(v value) bool {
	_, ok := v.(bad)
	return ok
}

// anyBad reports whether one of the values is bad or missing.
func anyBad(vs ...value) bool {
	for _, v := range vs {
		if v == nil || isBad(v) {
			return true
		}
	}
	return false
}

// maxExact is the largest whole number that a size or count may have.
const maxExact = 1 << 53

// integer returns a number's or axis's value if it is whole.
func integer(v value) (int, bool) {
	n, ok := numeric(v)
	if !ok || n.v != math.Trunc(n.v) || math.Abs(n.v) > maxExact {
		return 0, false
	}
	return int(n.v), true
}

// numeric reads a value as a number; an axis is its size.
func numeric(v value) (num, bool) {
	switch v := v.(type) {
	case num:
		return v, true
	case axis:
		return whole(v.size), v.size != unsized
	}
	return num{}, false
}

// show prints a value for a message or an interpolated string.
func show(v value) string {
	switch v := v.(type) {
	case num:
		if v.v == math.Trunc(v.v) && math.Abs(v.v) < maxExact {
			return strconv.FormatFloat(v.v, 'f', -1, 64)
		}
		return strconv.FormatFloat(v.v, 'g', 10, 64)
	case boolean:
		return strconv.FormatBool(bool(v))
	case text:
		return string(v)
	case symbol:
		return string(v)
	case dtype:
		return ir.DType(v).String()
	case axis:
		return strconv.Itoa(v.size)
	case axes:
		return "(" + v.String() + ")"
	case *tensor:
		return v.String()
	case list:
		return fmt.Sprintf("a list of %d", len(v))
	}
	return v.kind()
}

// describeValue says in a message what was found: the kind and, where it is short, the value.
func describeValue(v value) string {
	switch v := v.(type) {
	case num, boolean, dtype:
		return show(v)
	case text:
		return strconv.Quote(clipText(string(v)))
	case axis:
		return "the axis " + v.String()
	case *tensor:
		return v.String()
	case axes:
		return "the axes " + show(v)
	}
	return v.kind()
}
