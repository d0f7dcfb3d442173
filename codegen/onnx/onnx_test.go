package onnx

import (
	"encoding/binary"
	"errors"
	"flag"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"vitc/ir"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// counting gives a weight's elements the numbers 0, 1, 2 and so on.
func counting(_ string, t ir.Type) ([]byte, error) {
	var data []byte
	for i := range t.Size() {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	return data, nil
}

func export(t *testing.T, text string) ([]byte, error) {
	t.Helper()
	m, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return Export(m.Funcs[0], Options{Name: "test", Version: "1", Weights: counting})
}

const casesFile = "testdata/graphs.txtar"

// TestGraphs compares the models that functions become, read back by the numbers of onnx.proto,
// with what was looked at once. What they compute is compared in ONNX Runtime, see oracle.
func TestGraphs(t *testing.T) {
	cases, err := txtar.ParseFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(cases.Files); i += 2 {
		in, want := cases.Files[i], &cases.Files[i+1]
		t.Run(in.Name, func(t *testing.T) {
			got := ""
			if model, err := export(t, string(in.Data)); err != nil {
				got = "error: " + err.Error() + "\n"
			} else {
				got = listing(t, model)
			}
			if *update {
				want.Data = []byte(got)
			} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(casesFile, txtar.Format(cases), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const sameIR = `ir differentiated
func @f(%w: f32[a:2, b:3] state="w", %x: f32[n:4, a:2] input="x") -> (f32[n:4, b:3] output="y") {
  %y: f32[n:4, b:3] = dot %x, %w [na,ab->nb]
  yield %y
}
`

// TestSameBytes: the same function gives the same file.
func TestSameBytes(t *testing.T) {
	first, err := export(t, sameIR)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if again, err := export(t, sameIR); err != nil || string(again) != string(first) {
			t.Fatalf("another file, error %v", err)
		}
	}
}

// TestWeightsError: what the weights lack ends the export.
func TestWeightsError(t *testing.T) {
	m, err := ir.Parse(sameIR)
	if err != nil {
		t.Fatal(err)
	}
	missing := errors.New("no such weight")
	_, err = Export(m.Funcs[0], Options{Weights: func(string, ir.Type) ([]byte, error) { return nil, missing }})
	if !errors.Is(err, missing) {
		t.Errorf("error %v", err)
	}
}

// TestEveryRow: an op is written, or stands here with the reason why no inference graph has it.
func TestEveryRow(t *testing.T) {
	reasons := map[string]string{
		"rng_bits": "predictions draw nothing", "grad": "is gone once differentiated", "scatter_add": "is a gradient", "unwindow": "is a gradient",
		"solve": "fits a probe, on all examples", "fusion": "is a kernel's", "fence": "is a schedule's", "bitcast": "makes numbers of random bits",
		"shl": "makes keys", "shr": "makes keys",
	}
	for _, row := range ir.Rows() {
		_, left := reasons[row.Name]
		if written := rows[row.Name] != nil; written == left && !strings.Contains(meshRows, " "+row.Whole().Name+" ") {
			t.Errorf("%s: written %v, left out %v", row.Name, written, left)
		}
	}
}

// meshRows are of several devices; an ONNX model is for one.
const meshRows = " reshard block put axis_index all_gather reduce_scatter all_reduce all_to_all permute "
