package passes

import (
	"math"
	"testing"

	"vitc/ir"
	"vitc/ir/cost"
)

// typeOf reads a type as the IR's text has it, over the mesh (x:2, y:4).
func typeOf(t *testing.T, text string) ir.Type {
	t.Helper()
	m, err := ir.Parse("ir differentiated mesh(x:2, y:4)\nfunc @f(%v: " + text + " input=\"v\") -> () {\n yield }")
	if err != nil {
		t.Fatal(err)
	}
	return m.Funcs[0].Body.Params[0].Type
}

// The cheapest ways: what is cut is gathered last and parts are joined while they are small; what
// can be cut is cut first; an axis that moves from one dim to another is one exchange.
func TestRoutes(t *testing.T) {
	mesh := ir.Mesh{{Name: "x", Size: 2}, {Name: "y", Size: 4}}
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""},
		{"{a@x}", "", "all_gather dim 0 over x"},
		{"", "{a@x}", "block dim 0 over x"},
		{"{a@(x, y)}", "", "all_gather dim 0 over x, y"},
		{"{a@(x, y)}", "{a@x}", "all_gather dim 0 over y"},
		{"{a@x}", "{b@x}", "all_to_all dim 0 over x"},
		{"{+x}", "", "all_reduce dim 0 over x"},
		{"{+x, +y}", "", "all_reduce dim 0 over x, y"},
		{"{+x}", "{b@x}", "reduce_scatter dim 1 over x"},
		{"{+x, +y}", "{a@y, b@x}", "reduce_scatter dim 0 over y; reduce_scatter dim 1 over x"}, // the larger first
		{"{+x}", "{b@(x, y)}", "reduce_scatter dim 1 over x; block dim 1 over y"},
		{"{a@x, +y}", "{a@x}", "all_reduce dim 0 over y"},
		{"{a@x, +y}", "", "all_reduce dim 0 over y; all_gather dim 0 over x"},
		{"{a@x}", "{a@x, b@y}", "block dim 1 over y"},
		{"{a@y}", "{a@x}", "all_gather dim 0 over y; block dim 0 over x"},
		{"{c@y}", "", "all_gather dim 2 over y"},
		{"{c@(x, y)}", "", "all_gather dim 2 over x, y"},
		{"{c@(x, y)}", "{c@x}", "all_gather dim 2 over y"},                        // both pad 15 to 16
		{"{d@(x, y)}", "{d@x}", "all_gather dim 3 over x, y; block dim 3 over x"}, // to 24, and to 18
		{"{d@x}", "{d@(x, y)}", "all_gather dim 3 over x; block dim 3 over x, y"},
	} {
		from, to := typeOf(t, "f32[a:8, b:16, c:15, d:18]"+c.from), typeOf(t, "f32[a:8, b:16, c:15, d:18]"+c.to)
		r := newRouter(cost.Usual(mesh))
		got := r.route(from, from.Shard, to.Shard)
		if got.String() != c.want {
			t.Errorf("%s to %s: %s, expected %s", c.from, c.to, got, c.want)
		}
		if again := r.route(from, from.Shard, to.Shard); again.String() != got.String() || again.seconds != got.seconds {
			t.Errorf("%s to %s: %s, then %s", c.from, c.to, got, again)
		}
	}
}

// A route's time is that of what crosses a device's busiest link: of an all_to_all over n devices n
// quarters of what each has.
func TestRouteSeconds(t *testing.T) {
	r := newRouter(cost.Usual(ir.Mesh{{Name: "x", Size: 2}, {Name: "y", Size: 4}}))
	for _, c := range []struct {
		from, to string
		bytes    float64
	}{
		{"f32[a:8, b:16]{a@x}", "f32[a:8, b:16]", 256},         // half of 512
		{"f32[a:8, b:16]{+y}", "f32[a:8, b:16]", 768},          // twice three quarters
		{"f32[a:8, b:16]{+y}", "f32[a:8, b:16]{b@y}", 384},     // three quarters
		{"f32[a:8, b:16]{a@y}", "f32[a:8, b:16]{b@y}", 128},    // a quarter, times 4/4
		{"bf16[a:8, b:15]{b@y}", "bf16[a:8, b:15]", 8 * 3 * 8}, // three blocks of 4, padding included
	} {
		from, to := typeOf(t, c.from), typeOf(t, c.to)
		want := c.bytes / 90e9
		if got := r.route(from, from.Shard, to.Shard).seconds - perMove; math.Abs(got-want) > 1e-5*want {
			t.Errorf("%s to %s: %g s, expected %g", c.from, c.to, got, want)
		}
	}
}

// What a product makes is scattered first along an axis whose sends the product is long enough to
// hide; what nothing hides goes the way that is quickest by itself.
func TestRoutesOfProducts(t *testing.T) {
	m, err := cost.On(&ir.Plan{Mesh: ir.Mesh{{Name: "x", Size: 8}, {Name: "y", Size: 8}, {Name: "z", Size: 16}},
		Devices: ir.Devices{Platform: "tpu", Chip: "v4", Shape: []int{8, 8, 16}}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRouter(m)
	whole := ir.T(ir.BF16, ir.Dim{Label: "width", Size: 6144}, ir.Dim{Label: "heads", Size: 48}, ir.Dim{Label: "head", Size: 128})
	from := whole.Sharded(ir.NewSharding(make([][]string, 3), []string{"x", "y", "z"}, nil))
	to := whole.Sharded(ir.NewSharding([][]string{{"y"}, {"x"}, {"z"}}, nil, nil))
	sends := m.Sends(float64(whole.Bytes()), "y")
	for work, want := range map[float64]string{
		0.9 * sends: "all_reduce dim 0 over x, y, z; block dim 0 over y; block dim 2 over z; block dim 1 over x",
		1.1 * sends: "reduce_scatter dim 0 over y; reduce_scatter dim 2 over z; reduce_scatter dim 1 over x",
	} {
		if got := r.routeOf(from, from.Shard, to.Shard, work).String(); got != want {
			t.Errorf("beside %.1f ms of work: %s, expected %s", work*1e3, got, want)
		}
	}
}
