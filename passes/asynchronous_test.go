package passes_test

import (
	"strings"
	"testing"

	"vitc/ir"
	"vitc/passes"
)

// asynchronous takes a program for 16 chips through the pass, and lists its ops outside of kernels.
func asynchronous(t *testing.T, plan ir.Plan, text string) (*ir.Module, string) {
	t.Helper()
	m, err := ir.Parse("ir partitioned mesh(model:16)\n" + text)
	if err != nil {
		t.Fatal(err)
	}
	plan.Mesh, plan.Devices = m.Mesh, ir.Devices{Platform: "tpu", Chip: "v4", Shape: []int{4, 4, 1}}
	if err := passes.Run(m, []string{"fuse", "asynchronous"}, passes.Options{Config: passes.Config{Plan: &plan}}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, op := range m.Funcs[0].Body.Ops {
		name := op.Row.Name
		if op.Body != nil {
			name = "%" + op.Out[0].Name
		}
		names = append(names, name)
	}
	return m, strings.Join(names, " ")
}

// What is worth it is started early and waited for late; kernels make way where that is needed; small
// collectives, and those that nothing hides, stay in one.
func TestAsynchronousChoices(t *testing.T) {
	const head = `func @f(%x: bf16[a:8192, b:8192] input="x", %w: bf16[b:512, c:8192]{b@model} input="w") -> (bf16[a:8192, c:8192] output="y", bf16[a:8192, c:8192] output="z") {
`
	const waits = head + `  %g: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %y: bf16[a:8192, c:8192] = dot %x, %g [ab,bc->ac]
  %z: bf16[a:8192, c:8192] = dot %x, %x [ab,bc->ac]
  yield %y, %z }`
	const hidden = head + `  %z: bf16[a:8192, c:8192] = dot %x, %x [ab,bc->ac]
  %g: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %y: bf16[a:8192, c:8192] = dot %x, %g [ab,bc->ac]
  yield %y, %z }`
	const alone = head + `  %g: bf16[b:8192, c:8192] = all_gather %w dim=0 over=model
  %y: bf16[a:8192, c:8192] = dot %x, %g [ab,bc->ac]
  %z: bf16[a:8192, c:8192] = dot %y, %x [ab,bc->ac]
  yield %y, %z }`
	small := strings.ReplaceAll(strings.ReplaceAll(hidden, "8192", "128"), "512", "8")
	for _, c := range []struct{ name, text, want string }{
		{"hidden", hidden, "all_gather_start %z all_gather_done %y"},
		{"behind what comes later", waits, "all_gather_start %z all_gather_done %y"},
		{"behind nothing", alone, "all_gather %y %z"},
		{"small", small, "%z all_gather %y"},
	} {
		if _, got := asynchronous(t, ir.Plan{}, c.text); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Of a chain of products whose weights are gathered as many weights are under way as memory holds.
func TestAsynchronousMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(`func @f(%x: bf16[a:16384, b:16384] input="x", %w: bf16[b:1024, c:16384]{b@model} input="w") -> (bf16[a:16384, b:16384] output="y") {` + "\n")
	for i, read := 0, "%x"; i < 12; i++ {
		g, y := "%g"+string(rune('a'+i)), "%y"+string(rune('a'+i))
		b.WriteString("  " + g + ": bf16[b:16384, c:16384] = all_gather %w dim=0 over=model\n")
		b.WriteString("  " + y + ": bf16[a:16384, b:16384] = dot " + read + ", " + g + " [ab,bc->ac]\n")
		read = y
	}
	b.WriteString("  yield %yl }")
	together := func(reserve float64) (most int) {
		m, _ := asynchronous(t, ir.Plan{Reserve: reserve}, b.String())
		now := 0
		for _, op := range m.Funcs[0].Body.Ops {
			switch {
			case op.Row.Starts():
				now++
			case op.Row.Awaits():
				now--
			}
			most = max(most, now)
		}
		return most
	}
	// Each weight takes half a GiB, and so do %x and what the products give.
	if most := together(0); most < 11 {
		t.Errorf("%d weights are under way at once where 32 GiB are free", most)
	}
	if most := together(0.92); most > 3 || most < 1 {
		t.Errorf("%d weights are under way at once where 2.5 GiB are free", most)
	}
}
