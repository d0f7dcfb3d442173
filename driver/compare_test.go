package driver

import (
	"os"
	"path/filepath"
	"testing"

	"vitc/runtime/hlo/report"
	"vitc/runtime/pjrt"
)

func comparedPods(t *testing.T, vary ...Variation) []comparedPod {
	t.Helper()
	q := CompareRequest{PodRequest: PodRequest{Target: "tpu:v4:2x2x1", Partitioner: PartitionerVitc,
		Source: Source{File: filepath.Join("..", "testsuite", "testdata", "pod.vit")}}, Vary: vary}
	list, _, err := q.lower(NewSources())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// What is estimated once is known under the same compiler: a variation that changes nothing of a
// step is the program itself, and any other is none.
func TestEstimatesAreKept(t *testing.T) {
	list := comparedPods(t, Variation{"steps", "200"}, Variation{"plan", "square"}, Variation{"steps", "100"})
	dir := t.TempDir()
	plugin := &pjrt.Found{Path: "libtpu.so", Version: "1"}
	open := func(v comparedPod, p *pjrt.Found) comparedFile {
		c, err := openCompared(dir, v.pod, p)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open(list[0], plugin)
	if c.load() != nil {
		t.Error("an empty folder knows an estimate")
	}
	if err := c.store(&estimated{Estimate: report.Parts{Step: 2}, Peak: 7}); err != nil {
		t.Fatal(err)
	}
	for _, v := range list[1:] {
		if e := open(v, plugin).load(); e == nil || e.Estimate.Step != 2 || e.Peak != 7 {
			t.Errorf("%s: %+v", v.name, e)
		}
	}
	if open(list[0], &pjrt.Found{Path: "libtpu.so", Version: "2"}).load() != nil {
		t.Error("another compiler's estimate is taken")
	}
	list[1].pod.Text = append([]byte("// "), list[1].pod.Text...)
	if open(list[1], plugin).load() != nil {
		t.Error("another program's estimate is taken")
	}
	if err := os.WriteFile(string(c), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if c.load() != nil {
		t.Error("a broken file is an estimate")
	}
}

// Rows are named by what they vary, and parameters that are given stay.
func TestVariations(t *testing.T) {
	list := comparedPods(t, Variation{"steps", "7"})
	if list[0].name != "plan=square" || list[1].name != "steps=7" || list[1].pod.Program.Train.Steps != 7 || list[0].pod.Program.Train.Steps == 7 {
		t.Errorf("%s, %s", list[0].name, list[1].name)
	}
	s := Variation{"b", "2"}.of(Source{Params: map[string]string{"a": "1"}})
	if len(s.Params) != 2 || s.Params["b"] != "2" {
		t.Errorf("%v", s.Params)
	}
}
