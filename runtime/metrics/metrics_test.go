package metrics

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func open(t *testing.T, path string, from int64) *Writer {
	t.Helper()
	w, err := Open(path, from)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fails(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v\nlacks %q", err, part)
		}
	}
}

func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	w := open(t, path, 0)
	ok(t, w.Write(1, Field{"loss", 0.1}, Field{"single", float32(0.1)}, Field{"images", 128}, Field{"what", "a \"b\"\n"}, Field{"ok", true}))
	if got := content(t, path); !strings.HasSuffix(got, "}\n") {
		t.Errorf("not flushed: %q", got)
	}
	ok(t, w.Write(2, Field{"loss", math.NaN()}, Field{"norm", math.Inf(1)}, Field{"rate", float32(1e-30)}))
	ok(t, w.Final(2, Field{"test.top1", 0.875}))
	ok(t, w.Close())
	want := `{"step":1,"loss":0.1,"single":0.1,"images":128,"what":"a \"b\"\n","ok":true}
{"step":2,"loss":null,"norm":null,"rate":1e-30,"note":"loss is NaN, norm is +Inf"}
{"step":2,"final":true,"test.top1":0.875}
`
	if got := content(t, path); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestStreams: what has no end is not read for earlier records, and needs no disk.
func TestStreams(t *testing.T) {
	w := open(t, "/dev/full", 3)
	fails(t, w.Write(1, Field{"loss", 0.1}), "cannot write the metrics", "no space left on device")
	ok(t, w.Close())
	w = open(t, os.DevNull, 3)
	ok(t, w.Final(4, Field{"test.top1", 0.5}))
	ok(t, w.Close())
}

func TestEveryFiniteNumberReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "v")
		name := rapid.String().Filter(func(s string) bool { return s != KeyNote }).Draw(t, "name")
		line, err := encode([]Field{{name, v}})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]float64
		if err := json.Unmarshal(line, &back); err != nil || back[name] != v {
			t.Fatalf("%q: %v, %v", line, back, err)
		}
	})
}

// TestResume: the file of a resumed run is that of a run never interrupted.
func TestResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	lines := []string{`{"step":1,"loss":3}`, `{"step":2,"loss":2}`, `{"step":2,"test.top1":0.5}`, `{"step":3,"loss":1}`, `{"step":3,"final":true}`, `{"step":4,"lo`}
	for from, want := range map[int64][]string{0: nil, 1: lines[:1], 2: lines[:3], 3: lines[:4], 9: lines[:4]} {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
		w := open(t, path, from)
		ok(t, w.Write(from+1))
		ok(t, w.Close())
		last, _ := encode([]Field{{KeyStep, from + 1}})
		all := strings.Join(append(append([]string{}, want...), string(last)), "\n")
		if got := content(t, path); got != all {
			t.Errorf("from step %d:\n%swant\n%s", from, got, all)
		}
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	for _, text := range []string{"{\"step\":1}\nhello\n", "{\"step\":1}\n{}\n", "{\"step\":1}\n{\"step\":\"x\"}\n"} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, 0)
		fails(t, err, path+":2: not a file of metrics", `expected objects with "step"`)
		if got := content(t, path); got != text {
			t.Errorf("changed to %q", got)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "no", "m"), 0)
	fails(t, err, "cannot open the metrics: no such file")
	_, err = Open(dir, 0)
	fails(t, err, "cannot read the metrics: is a directory")
	w := open(t, filepath.Join(dir, "m"), 0)
	fails(t, w.Write(1, Field{"a", 1}, Field{"a", 2}), "metric a: name taken")
	fails(t, w.Write(1, Field{KeyStep, 1}), "metric step: name taken")
	fails(t, w.Write(1, Field{KeyNote, "x"}), "metric note: name taken")
	fails(t, w.Write(1, Field{"a", []int{1}}), "metric a: value of another kind: expected a number, text or bool, found []int")
	ok(t, w.Close())
	fails(t, w.Write(1), "cannot write the metrics: file already closed")
	fails(t, w.Close(), "cannot write the metrics")
	if got := content(t, filepath.Join(dir, "m")); got != "" {
		t.Errorf("refused records were written: %q", got)
	}
}
