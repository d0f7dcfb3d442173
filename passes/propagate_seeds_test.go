package passes

import (
	"fmt"
	"strings"
	"testing"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/ir/irtest"
)

// planOf reads a plan in one line: "data:4 model:2 | batch: data; params.width: data".
func planOf(t *testing.T, text string) *ir.Plan {
	t.Helper()
	p, err := irtest.Plan("mesh " + strings.NewReplacer(" | ", "\n", "; ", "\n").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const seedText = `ir differentiated
func @step(%w: f32[width:8, mlp:12] state="net.up.w", %m: f32[width:8, mlp:12] state="opt.net.up.w.m", %v: f32[mlp:12] state="net.up.b",
    %t: i32[] state="t", %x: f32[batch:16, width:8] input="x") -> (f32[width:8, mlp:12] state="net.up.w", f32[] metric="loss", f32[batch:16, mlp:12] output="h") {
  %h: f32[batch:16, mlp:12] = dot %x, %w [bw,wm->bm]
  %g: f32[width:8, mlp:12] = dot %x, %h [bw,bm->wm]
  %n: f32[width:8, mlp:12] = sub %w, %g
  %u: f32[batch:16, mlp:12] = tanh %h
  %s: f32[] = reduce %u [bm->] kind=sum
  yield %n, %s, %h }`

func seedsText(t *testing.T, text, plan string) (string, diag.List) {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	seeds, notes := Seeds(m.Funcs[0], planOf(t, plan))
	var out []string
	for _, s := range seeds {
		out = append(out, fmt.Sprintf("%s.%s@%s", s.Value.Name, s.Value.Type.Dims[s.Dim].Label, strings.Join(s.Over, ",")))
	}
	return strings.Join(out, " "), notes
}

func TestSeeds(t *testing.T) {
	for _, c := range []struct{ plan, want string }{
		// Activations are what examples reach: gradients are none, whatever their labels are.
		{"d:4 | batch: d", "x.batch@d h.batch@d u.batch@d"},
		{"d:4 | mlp: d", "w.mlp@d m.mlp@d v.mlp@d n.mlp@d h.mlp@d u.mlp@d"},
		{"d:4 | params.mlp: d", "w.mlp@d m.mlp@d v.mlp@d n.mlp@d"},
		// params. beats the bare name; the earlier line wins a mesh axis.
		{"d:4 m:2 | width: d; params.width: m", "x.width@d w.width@m m.width@m n.width@m"},
		{"d:4 | mlp: d; width: d", "w.mlp@d m.mlp@d v.mlp@d n.mlp@d h.mlp@d u.mlp@d x.width@d"},
		{"d:2 m:2 | mlp: d; width: (d, m)", "w.mlp@d m.mlp@d v.mlp@d n.mlp@d h.mlp@d u.mlp@d w.width@m m.width@m x.width@d,m n.width@m"},
		// A path limits a line to what lies under it, optimizer state by its parameter.
		{"d:4 | net.up.w/mlp: d", "w.mlp@d m.mlp@d n.mlp@d"},
		{"d:4 | net.other/mlp: d", ""},
	} {
		if got, notes := seedsText(t, seedText, c.plan); got != c.want || len(notes) > 0 {
			t.Errorf("%s: %s, expected %s; %v", c.plan, got, c.want, notes)
		}
	}
}

// Uneven sizes are padded a little, and else refused for state, and told of for inputs.
func TestUnevenSeeds(t *testing.T) {
	for _, c := range []struct{ plan, want, notes string }{
		{"d:5 | params.mlp: d", "", "plan:2:1: error[V0503]: mlp:12 of net.up.w over d (5) leaves 3 of 15 places empty"},
		{"d:3 | batch: d", "h.batch@d u.batch@d", "plan:2:1: warning[V0503]: @step: batch:16 of x does not divide over d (3): every device is given all of it"},
	} {
		got, notes := seedsText(t, seedText, c.plan)
		if got != c.want || len(notes) == 0 || !strings.HasPrefix(notes[0].String(), c.notes) {
			t.Errorf("%s: %q, expected %q; %v", c.plan, got, c.want, notes)
		}
	}
	odd := strings.ReplaceAll(seedText, "mlp:12", "mlp:15")
	if got, notes := seedsText(t, odd, "d:4 | params.mlp: d"); got != "w.mlp@d m.mlp@d v.mlp@d n.mlp@d" || len(notes) > 0 {
		t.Errorf("15 over 4: %s; %v", got, notes)
	}
}

// State goes out as it came in, metrics whole, and what is handed out as the plan says of it.
func TestPorts(t *testing.T) {
	m, err := ir.Parse(seedText)
	if err != nil {
		t.Fatal(err)
	}
	f := m.Funcs[0]
	args, results, notes := Ports(f, planOf(t, "d:2 m:2 | batch: d; mlp: m; params.width: d"))
	if len(notes) > 0 {
		t.Error(notes)
	}
	show := func(values []*ir.Value, all []*ir.Sharding) string {
		var out []string
		for i, v := range values {
			out = append(out, v.Type.Sharded(all[i]).String())
		}
		return strings.Join(out, " ")
	}
	const wantArgs = "f32[width:8, mlp:12]{width@d, mlp@m} f32[width:8, mlp:12]{width@d, mlp@m} f32[mlp:12]{mlp@m} i32[] f32[batch:16, width:8]{batch@d}"
	const wantResults = "f32[width:8, mlp:12]{width@d, mlp@m} f32[] f32[batch:16, mlp:12]{batch@d, mlp@m}"
	if got := show(f.Body.Params, args); got != wantArgs {
		t.Errorf("arguments %s\nexpected  %s", got, wantArgs)
	}
	if got := show(f.Body.Yield, results); got != wantResults {
		t.Errorf("results  %s\nexpected %s", got, wantResults)
	}
}
