package interp_test

import (
	"strings"
	"testing"

	"vitc/ir"
)

// f3 is an argument of three floats.
func f3(x string) string { return "f32[n:3]: " + x }

// unary gives the case of a row over three floats.
func unary(name, in, want string) opCase {
	return opCase{[]string{f3(in)}, "%y: f32[n:3] = " + name + " %a", []string{want}}
}

// binary gives the case of a row over three elements of a dtype.
func binary(name, dtype, x, y, want string) opCase {
	return opCase{[]string{dtype + "[n:3]: " + x, dtype + "[n:3]: " + y}, "%y: " + dtype + "[n:3] = " + name + " %a, %b", []string{want}}
}

// comparison is a compare that tells each dir's answer.
func comparison(dir, want string) opCase {
	return opCase{[]string{f3("1 2 NaN"), f3("2 2 1")}, "%y: bool[n:3] = compare %a, %b dir=" + dir, []string{want}}
}

// conversion is a cast of one element.
func conversion(from, x, to, want string) opCase {
	return opCase{[]string{from + "[]: " + x}, "%y: " + to + "[] = cast %a", []string{want}}
}

var pointValues = []opCase{
	unary("neg", "1 -2 0", "-1 2 0"),
	unary("abs", "1 -2 0", "1 2 0"),
	unary("sign", "0.5 -2 0", "1 -1 0"),
	unary("floor", "0.5 -0.5 2", "0 -1 2"),
	unary("exp", "0 -Inf Inf", "1 0 Inf"),
	unary("log", "1 0 -1", "0 -Inf NaN"),
	unary("log1p", "0 -1 Inf", "0 -Inf Inf"),
	unary("sqrt", "4 0 -1", "2 0 NaN"),
	unary("rsqrt", "4 0 0.25", "0.5 Inf 2"),
	unary("tanh", "0 -Inf Inf", "0 -1 1"),
	unary("erf", "0 -Inf Inf", "0 -1 1"),
	unary("logistic", "0 -Inf Inf", "0.5 0 1"),
	unary("sin", "0 Inf 0", "0 NaN 0"),
	unary("cos", "0 Inf 0", "1 NaN 1"),
	{[]string{"bool[n:2]: 0 1"}, "%y: bool[n:2] = not %a", []string{"1 0"}},

	binary("add", "f32", "1 NaN Inf", "2 1 -Inf", "3 NaN NaN"),
	binary("sub", "f32", "1 2 3", "3 2 1", "-2 0 2"),
	binary("mul", "f32", "2 0 0", "3 Inf NaN", "6 NaN NaN"),
	binary("div", "f32", "1 1 0", "4 0 0", "0.25 Inf NaN"),
	binary("rem", "f32", "7 -7 1", "4 4 0", "3 -3 NaN"),
	binary("pow", "f32", "2 4 0", "3 0.5 0", "8 2 1"),
	binary("max", "f32", "1 NaN 2", "2 1 NaN", "2 NaN NaN"),
	binary("min", "f32", "1 NaN 2", "2 1 NaN", "1 NaN NaN"),

	comparison("eq", "0 1 0"), comparison("ne", "1 0 1"), comparison("lt", "1 0 0"),
	comparison("le", "1 1 0"), comparison("gt", "0 0 0"), comparison("ge", "0 1 0"),
	{[]string{"bool[n:3]: 1 0 1", f3("1 2 3"), "f32[]: 9"}, "%y: f32[n:3] = select %a, %b, %c", []string{"1 9 3"}},
	{[]string{"bool[]: 0", f3("1 2 3"), f3("4 5 6")}, "%y: f32[n:3] = select %a, %b, %c", []string{"4 5 6"}},
	{[]string{f3("1 2 3"), "f32[]: 10"}, "%y: f32[n:3] = sub %b, %a", []string{"9 8 7"}},
	{[]string{"f32[]: 3", "f32[]: 10"}, "%y: f32[] = sub %b, %a", []string{"7"}},
	{[]string{f3("1 2 3")}, "%y: f32[n:3] = mul 2, %a", []string{"2 4 6"}},
}

// Integers wrap in two's complement; division by zero gives zero; shifts count modulo 32.
var integerValues = []opCase{
	binary("add", "i32", "2147483647 1 -5", "1 2 3", "-2147483648 3 -2"),
	binary("add", "u32", "4294967295 1 0", "1 2 0", "0 3 0"),
	binary("add", "u8", "255 200 1", "1 100 1", "0 44 2"),
	binary("sub", "u32", "0 5 3", "1 2 3", "4294967295 3 0"),
	binary("sub", "i32", "-2147483648 0 1", "1 5 1", "2147483647 -5 0"),
	binary("mul", "u32", "4294967295 65536 3", "4294967295 65536 7", "1 0 21"),
	binary("mul", "i32", "2147483647 -3 46341", "2 5 46341", "-2 -15 -2147479015"),
	binary("div", "i32", "-7 7 -2147483648", "2 0 -1", "-3 0 -2147483648"),
	binary("div", "u32", "4294967295 7 7", "2 0 8", "2147483647 0 0"),
	binary("rem", "i32", "-7 7 5", "4 0 -3", "-3 0 2"),
	binary("max", "i32", "-7 7 5", "4 0 -3", "4 7 5"),
	binary("min", "u32", "4294967295 7 5", "4 0 5", "4 0 5"),
	binary("and", "u32", "12 4294967295 1", "10 255 2", "8 255 0"),
	binary("or", "u32", "12 4294967295 1", "10 255 2", "14 4294967295 3"),
	binary("xor", "i32", "12 -1 1", "10 255 1", "6 -256 0"),
	binary("and", "bool", "1 1 0", "1 0 0", "1 0 0"),
	binary("or", "bool", "1 1 0", "1 0 0", "1 1 0"),
	binary("xor", "bool", "1 1 0", "1 0 0", "0 1 0"),
	binary("shl", "u32", "1 3 4294967295", "31 33 1", "2147483648 6 4294967294"),
	binary("shl", "i32", "1 -1 3", "31 4 0", "-2147483648 -16 3"),
	binary("shr", "u32", "4294967295 256 1", "31 40 0", "1 1 1"),
	binary("shr", "i32", "-1 -256 7", "31 4 1", "-1 -16 3"),
	{[]string{"i32[n:3]: 5 -5 -2147483648"}, "%y: i32[n:3] = neg %a", []string{"-5 5 -2147483648"}},
	{[]string{"u32[n:3]: 5 0 1"}, "%y: u32[n:3] = neg %a", []string{"4294967291 0 4294967295"}},
	{[]string{"i32[n:3]: 5 -5 -2147483648"}, "%y: i32[n:3] = abs %a", []string{"5 5 -2147483648"}},
	{[]string{"i32[n:3]: 5 -5 0"}, "%y: i32[n:3] = sign %a", []string{"1 -1 0"}},
	{[]string{"u32[n:2]: 4294967295 2"}, "%y: bool[n:2] = compare %a, 2 dir=gt", []string{"1 0"}},
	{[]string{"bool[n:2]: 1 0", "bool[n:2]: 1 1"}, "%y: bool[n:2] = compare %a, %b dir=eq", []string{"1 0"}},
}

// Casts of floats to integers truncate and saturate; of integers to integers, wrap; to bool,
// tell whether the value is not zero. Floats round to nearest, ties to even.
var castValues = []opCase{
	conversion("f32", "2.9", "i32", "2"), conversion("f32", "-2.9", "i32", "-2"),
	conversion("f32", "3e9", "i32", "2147483647"), conversion("f32", "-Inf", "i32", "-2147483648"),
	conversion("f32", "NaN", "i32", "0"), conversion("f32", "NaN", "u8", "0"),
	conversion("f32", "-1", "u32", "0"), conversion("f32", "Inf", "u32", "4294967295"),
	conversion("f32", "300", "u8", "255"), conversion("f32", "-0.5", "u8", "0"),
	conversion("f32", "0", "bool", "0"), conversion("f32", "NaN", "bool", "1"), conversion("f32", "-0.25", "bool", "1"),
	conversion("i32", "-1", "u32", "4294967295"), conversion("u32", "4294967295", "i32", "-1"),
	conversion("i32", "300", "u8", "44"), conversion("i32", "256", "bool", "1"), conversion("bool", "1", "f32", "1"),
	conversion("i32", "16777217", "f32", "16777216"), conversion("i32", "16777219", "f32", "16777220"),
	conversion("u32", "4294967295", "f32", "4294967296"),
	conversion("f32", "1.00390625", "bf16", "1"), conversion("f32", "1.01171875", "bf16", "1.015625"),
	conversion("f32", "1.00390637", "bf16", "1.0078125"), conversion("f32", "3.4e38", "bf16", "Inf"),
	conversion("f32", "9.2e-41", "bf16", "9.183549615799121e-41"), conversion("f32", "NaN", "bf16", "NaN"),
	conversion("f32", "1.00048828125", "f16", "1"), conversion("f32", "1.00146484375", "f16", "1.001953125"),
	conversion("f32", "65519", "f16", "65504"), conversion("f32", "65520", "f16", "Inf"), conversion("f32", "-65520", "f16", "-Inf"),
	conversion("f32", "2.9802322387695312e-08", "f16", "0"), conversion("f32", "8.94069671630859375e-08", "f16", "1.1920928955078125e-07"),
	conversion("bf16", "1.0078125", "f32", "1.0078125"), conversion("real", "0.1", "f32", "0.10000000149011612"),
	binary("add", "f32", "16777216 16777218 0.1", "1 1 0.2", "16777216 16777220 0.30000001192092896"),
	binary("add", "bf16", "256 258 1", "1 1 0.001", "256 260 1"),
	binary("mul", "f16", "256 0.001 2", "256 0.001 3", "Inf 1.0132789611816406e-06 6"),
}

const iota6 = "f32[a:2, b:3]: 1 2 3 4 5 6"

var shapeValues = []opCase{
	{nil, "%y: i32[a:2, b:3] = iota dim=1", []string{"0 1 2 0 1 2"}},
	{nil, "%y: u32[a:2, b:3] = iota dim=0", []string{"0 0 0 1 1 1"}},
	{[]string{"u32[k:2]: 0 0"}, "%y: u32[a:2] = rng_bits %a, 0 strides=(0)", []string{"1797259609 1797259609"}}, // 6b200159
	{[]string{f3("1 2 3")}, "%y: f32[a:2, b:3] = broadcast %a [b->ab]", []string{"1 2 3 1 2 3"}},
	{[]string{f3("1 2 3")}, "%y: f32[b:3, a:2] = broadcast %a [b->ba]", []string{"1 1 2 2 3 3"}},
	{[]string{"f32[]: 7"}, "%y: f32[a:2] = broadcast %a [->a]", []string{"7 7"}},
	{[]string{iota6}, "%y: f32[b:3, a:2] = rearrange %a [ab->ba]", []string{"1 4 2 5 3 6"}},
	{[]string{iota6}, "%y: f32[n:6] = rearrange %a [ab->(ba)]", []string{"1 4 2 5 3 6"}},
	{[]string{"f32[n:6]: 1 2 3 4 5 6"}, "%y: f32[b:3, a:2] = rearrange %a [(ab)->ba]", []string{"1 4 2 5 3 6"}},
	{[]string{"f32[n:2]: 1 2"}, "%y: f32[a:1, n:2, b:1] = rearrange %a [n->()n()]", []string{"1 2"}},
	{[]string{iota6}, "%y: f32[b:3] = reduce %a [ab->b] kind=sum", []string{"5 7 9"}},
	{[]string{iota6}, "%y: f32[a:2] = reduce %a [ab->a] kind=max", []string{"3 6"}},
	{[]string{"f32[a:2, b:3]: 1 NaN 3 4 -5 6"}, "%y: f32[a:2] = reduce %a [ab->a] kind=min", []string{"NaN -5"}},
	{[]string{"f32[a:2, b:2]: NaN 1 -Inf -Inf"}, "%y: f32[a:2] = reduce %a [ab->a] kind=max", []string{"NaN -Inf"}},
	{[]string{"u32[n:3]: 4294967295 2 4294967295"}, "%y: u32[] = reduce %a [n->] kind=sum", []string{"0"}},
	{[]string{"i32[n:3]: -4 -2 -9"}, "%y: i32[] = reduce %a [n->] kind=max", []string{"-2"}},
	{[]string{iota6}, "%y: f32[b:3, a:2] = reduce %a [ab->ba] kind=sum", []string{"1 4 2 5 3 6"}},
	{[]string{iota6, "f32[b:3, c:2]: 1 0 0 1 1 1"}, "%y: f32[a:2, c:2] = dot %a, %b [ab,bc->ac]", []string{"4 5 10 11"}},
	{[]string{iota6, "f32[b:3, c:2]: 1 0 0 1 1 1"}, "%y: f32[c:2, a:2] = dot %a, %b [ab,bc->ca]", []string{"4 10 5 11"}},
	{[]string{iota6, iota6}, "%y: f32[a:2] = dot %a, %b [ab,ab->a]", []string{"14 77"}},
	{[]string{iota6, "f32[a:2]: 2 3"}, "%y: f32[b:3, a:2] = dot %a, %b [ab,a->ba]", []string{"2 12 4 15 6 18"}},
	{[]string{"f32[n:2]: 1 2", "f32[m:2]: 3 4"}, "%y: f32[n:2, m:2] = dot %a, %b [n,m->nm]", []string{"3 4 6 8"}},
	{[]string{f3("0 1 2"), f3("NaN 1 1")}, "%y: f32[] = dot %a, %b [n,n->]", []string{"NaN"}},
	{[]string{iota6}, "%y: f32[a:2, b:2] = slice %a dim=1 from=1 to=3", []string{"2 3 5 6"}},
	{[]string{iota6}, "%y: f32[a:1, b:3] = slice %a dim=0 from=1 to=2", []string{"4 5 6"}},
	{[]string{iota6}, "%y: f32[a:2, b:6] = pad %a dim=1 lo=1 hi=2", []string{"0 1 2 3 0 0 0 4 5 6 0 0"}},
	{[]string{iota6}, "%y: f32[a:2, b:3] = roll %a dim=1 by=1", []string{"3 1 2 6 4 5"}},
	{[]string{iota6}, "%y: f32[a:2, b:3] = roll %a dim=1 by=-4", []string{"2 3 1 5 6 4"}},
	{[]string{iota6, "f32[a:2, b:1]: 7 8"}, "%y: f32[a:2, b:4] = concat %a, %b dim=1", []string{"1 2 3 7 4 5 6 8"}},
	{[]string{f3("1 2 3"), f3("4 5 6")}, "%y: f32[n:6] = concat %a, %b dim=0", []string{"1 2 3 4 5 6"}},
	{[]string{"f32[a:2, b:3]: 1 5 5 NaN 9 NaN"}, "%y: i32[a:2] = argmax %a dim=1", []string{"1 0"}},
	{[]string{"f32[a:3, b:2]: 1 5 2 NaN 2 7"}, "%y: i32[b:2] = argmax %a dim=0", []string{"1 1"}},
	{[]string{iota6, "i32[n:4]: 1 0 -1 2"}, "%y: f32[n:4, b:3] = gather %a, %b [ab,n->nb]", []string{"4 5 6 1 2 3 0 0 0 0 0 0"}},
	{[]string{iota6, "i32[a:2]: 2 0"}, "%y: f32[a:2] = gather %a, %b [ab,a->a]", []string{"3 4"}},
	{[]string{iota6, "u32[]: 1"}, "%y: f32[b:3] = gather %a, %b [ab,->b]", []string{"4 5 6"}},
	{[]string{"i32[n:4]: 1 1 -1 5", "f32[n:4]: 1 2 3 4"}, "%y: f32[v:3] = scatter_add %a, %b [n,n->v]", []string{"0 3 0"}},
	{[]string{"i32[n:2]: 1 1", iota6}, "%y: f32[v:2, b:3] = scatter_add %a, %b [n,nb->vb]", []string{"0 0 0 5 7 9"}},
	{[]string{"i32[n:2]: 0 0", "u8[n:2]: 200 100"}, "%y: u8[v:1] = scatter_add %a, %b [n,n->v]", []string{"44"}},
	{[]string{f3("1 2 3")}, "%y: f32[o:3, k:3] = window %a dim=0 size=3 stride=1 lo=1 hi=1", []string{"0 1 2 1 2 3 2 3 0"}},
	{[]string{f3("1 2 3")}, "%y: f32[o:2, k:2] = window %a dim=0 size=2 stride=2 lo=1 hi=0 fill=lowest", []string{"-Inf 1 2 3"}},
	{[]string{iota6}, "%y: f32[a:2, o:1, k:2] = window %a dim=1 size=2 stride=2 lo=0 hi=-1", []string{"1 2 4 5"}},
	{[]string{"f32[a:3, b:2]: 1 2 3 4 5 6"}, "%y: f32[o:2, k:2, b:2] = window %a dim=0 size=2 stride=1 lo=0 hi=0", []string{"1 2 3 4 3 4 5 6"}},
	{[]string{"f32[o:3, k:3]: 1 2 3 4 5 6 7 8 9"}, "%y: f32[n:3] = unwindow %a dim=0 size=3 stride=1 lo=1 hi=1", []string{"6 15 14"}},
	{[]string{"f32[a:2, o:1, k:2]: 1 2 4 5"}, "%y: f32[a:2, b:3] = unwindow %a dim=1 size=2 stride=2 lo=0 hi=-1", []string{"1 2 0 4 5 0"}},
	{[]string{"u8[o:2, k:2]: 9 200 100 1"}, "%y: u8[n:3] = unwindow %a dim=0 size=2 stride=1 lo=0 hi=0", []string{"9 44 1"}},
	{[]string{"f32[p:2, q:2]: 4 2 2 5", "f32[p:2, c:1]: 8 20"}, "%y: f32[q:2, c:1] = solve %a, %b", []string{"0 4"}},
	{[]string{"f32[p:2, q:2]: 4 4 0 5", "f32[p:2, c:2]: 4 8 2 20"}, "%y: f32[q:2, c:2] = solve %a, %b", []string{"1 0 0 4"}},
	{[]string{"f32[b:4, p:1, q:1]: 4 0 -1 NaN", "f32[b:4, p:1, c:1]: 8 1 1 1"}, "%y: f32[b:4, q:1, c:1] = solve %a, %b", []string{"2 NaN NaN NaN"}},
	{[]string{f3("1 2 3")}, `%y: f32[n:3] = fence %a why="no reason"`, []string{"1 2 3"}},
	{[]string{f3("1 2 3")}, "%y: f32[n:3], %z: f32[n:3] = fusion kind=loop in(%p=%a) {\n%u: f32[n:3] = add %p, 1\n%v: f32[n:3] = mul %u, %p\nyield %u, %v }",
		[]string{"2 3 4", "2 6 12"}},
}

// sums reads the decimal digits of its operands, 10·carry + each: the order of turns shows.
const sums = `%y: f32[], %z: f32[t:3] = scan length=3 ORDER carry(%c0=%a) each(%e=%b) const(%k=%c) {
  %m: f32[] = mul %c0, %k
  %n: f32[] = add %m, %e
  yield %n stack(%n) }`

func scanCase(order, last, stacked string) opCase {
	return opCase{[]string{"f32[]: 1", "f32[t:3]: 2 3 4", "f32[]: 10"}, strings.Replace(sums, "ORDER", order, 1), []string{last, stacked}}
}

// Stacks lie by turn, also in reverse.
var scanValues = []opCase{
	scanCase("", "1234", "12 123 1234"),
	scanCase("reverse", "1432", "1432 143 14"),
	{[]string{iota6}, "%z: f32[t:2] = scan length=2 each(%e=%a) {\n%s: f32[] = reduce %e [b->] kind=sum\nyield stack(%s) }", []string{"6 15"}},
	{[]string{"f32[]: 2", "f32[]: 3"}, "%y: f32[], %z: f32[] = scan length=3 carry(%p=%a, %q=%b) {\nyield %q, %p }", []string{"3", "2"}},
	{[]string{"f32[]: 2", "i32[n:2]: 5 7"}, "%y: f32[], %z: i32[t:3, n:2] = scan length=3 carry(%p=%a) const(%k=%b) {\nyield %p stack(%k) }", []string{"2", "5 7 5 7 5 7"}},
}

func allValues() []opCase {
	var cases []opCase
	for _, cs := range [][]opCase{pointValues, integerValues, castValues, shapeValues, scanValues} {
		cases = append(cases, cs...)
	}
	return cases
}

func TestValues(t *testing.T) {
	for _, c := range allValues() {
		c.check(t)
	}
}

// TestEveryRow fails when a row is added without an evaluation, a case of its values, and, where
// it has a VJP, a case of its gradient.
func TestEveryRow(t *testing.T) {
	valued, graded := map[string]bool{}, map[string]bool{}
	note := func(c opCase, seen map[string]bool) {
		module(t, c.text(ir.Differentiated)).Funcs[0].Body.Walk(func(op *ir.Op) { seen[op.Row.Name] = true })
	}
	for _, c := range allValues() {
		note(c, valued)
	}
	for _, c := range allGradients() {
		note(c.opCase, graded)
	}
	markers := map[string]bool{"grad": true, "stop": true, "reshard": true} // TestMarkers
	for _, r := range ir.Rows() {
		if !valued[r.Name] && !markers[r.Name] && r.Class != ir.Collective { // TestCollectives
			t.Errorf("row %s has no case of its values", r.Name)
		}
		if r.VJP != nil && !graded[r.Name] {
			t.Errorf("row %s has no case of its gradient", r.Name)
		}
	}
}
