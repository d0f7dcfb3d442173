package ir

import (
	"fmt"
	"testing"
)

func TestSplit(t *testing.T) {
	mesh := Mesh{{"d", 4}, {"m", 2}}
	weight := T(F32, Dim{Label: "layer", Size: 2}, Dim{Label: "width", Size: 8}, Dim{Label: "mlp", Size: 16})
	hidden := T(F32, Dim{Label: "batch", Size: 8}, Dim{Label: "seq", Size: 3}, Dim{Label: "width", Size: 8})
	over := func(axis string, names ...string) ShardLine { return ShardLine{Axis: axis, Over: names} }
	params := func(l ShardLine) ShardLine { l.Params = true; return l }
	under := func(path string, l ShardLine) ShardLine { l.Path = path; return l }
	for _, c := range []struct {
		about string
		lines []ShardLine
		t     Type
		path  string
		param bool
		want  string
	}{
		{"nothing said", nil, weight, "net.w", true, "[[] [] []]"},
		{"two dims", []ShardLine{over("mlp", "m"), over("width", "d")}, weight, "net.w", true, "[[] [d] [m]]"},
		{"the earlier line wins a mesh axis", []ShardLine{over("mlp", "m"), over("width", "m")}, weight, "net.w", true, "[[] [] [m]]"},
		{"what is left of two", []ShardLine{over("width", "m"), over("mlp", "d", "m")}, weight, "net.w", true, "[[] [m] [d]]"},
		{"params. comes before the bare name", []ShardLine{over("width", "m"), params(over("width", "d"))}, weight, "net.w", true, "[[] [d] []]"},
		{"and is of parameters alone", []ShardLine{over("width", "m"), params(over("width", "d"))}, hidden, "net", false, "[[] [] [m]]"},
		{"several axes", []ShardLine{over("batch", "d", "m")}, hidden, "net", false, "[[d m] [] []]"},
		{"an instance's own line", []ShardLine{under("net.head", over("width", "m")), over("width", "d")}, hidden, "net.head.norm", false, "[[] [] [m]]"},
		{"and elsewhere", []ShardLine{under("net.head", over("width", "m")), over("width", "d")}, hidden, "net.body", false, "[[] [] [d]]"},
	} {
		p := &Plan{Mesh: mesh, Shard: c.lines}
		if got := fmt.Sprint(p.Split(c.t, c.path, c.param)); got != c.want {
			t.Errorf("%s: %s, want %s", c.about, got, c.want)
		}
	}
}

func TestRemated(t *testing.T) {
	p := &Plan{Remat: []RematLine{{Path: "net.encoder.block.attn", Policy: RematDots}, {Path: "net.**.block", Policy: RematAll}}}
	for path, want := range map[string]RematPolicy{"net.encoder.block.attn.norm": RematDots, "net.encoder.block": RematAll, "net.encoder.block.mlp": RematAll, "net.head": RematNone} {
		if got := p.Remated(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestChosen(t *testing.T) {
	p := &Program{Plans: []Plan{{Name: "a"}, {Name: "b"}}}
	if p.Chosen() != nil {
		t.Error("a plan is chosen, and none was named")
	}
	p.Plan = "b"
	if p.Chosen() != &p.Plans[1] {
		t.Errorf("%+v", p.Chosen())
	}
}

func TestLeafOf(t *testing.T) {
	for _, c := range []struct {
		leaf Leaf
		want string
	}{
		{Leaf{Name: "net.head.w", Kind: LeafParam}, "net.head.w"},
		{Leaf{Name: "opt.net.head.w.m", Kind: LeafOpt}, "net.head.w.m"},
		{Leaf{Name: "ema.net.head.w", Kind: LeafEMA}, "net.head.w"},
	} {
		if got := c.leaf.Of(); got != c.want {
			t.Errorf("%s: %s, want %s", c.leaf.Name, got, c.want)
		}
	}
}
