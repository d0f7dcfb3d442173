package report

import (
	"encoding/json"
	"os"
	"testing"

	"vitc/ir/topology"
	"vitc/runtime/hlo"
)

func TestY(t *testing.T) {
	b, _ := os.ReadFile(os.Getenv("PB") + ".pb")
	m, err := hlo.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	j, _ := os.ReadFile(os.Getenv("PB") + ".json")
	var meta struct {
		Topo   string
		Coords [][]int
		R      map[string]any `json:"est_raw"`
		H      map[string]any `json:"est_hbm"`
	}
	json.Unmarshal(j, &meta)
	top, err := topology.Parse(meta.Topo)
	if err != nil {
		t.Fatal(err)
	}
	ma, err := Machine{Topology: top}.place(m)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range ma.coords {
		for k := range c {
			if c[k] != meta.Coords[i][k] {
				t.Fatal(i, c, meta.Coords[i])
			}
		}
	}
	for _, mode := range []Mode{Raw, ByHBM} {
		r := simulate(m, ma, mode)
		o, _ := json.Marshal(r.Parts)
		t.Log(string(o))
	}
	r, err := New(m, Machine{Topology: top}, 1e15)
	o, _ := json.MarshalIndent(r, "", " ")
	if os.Getenv("PB") == "/tmp/rep/best" {
		r.Collectives = r.Collectives[:5]
		o, _ = json.MarshalIndent(r, "", " ")
		os.WriteFile("/tmp/rep/best.report.json", o, 0o666)
	}
	t.Log(r.Memory.Arguments, r.Memory.Temporaries)
	t.Log(string(j[len(j)-0:]))
	t.Log(meta.R["step_s"])
	t.Log(meta.H["step_s"])
}
