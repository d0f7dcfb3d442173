package testsuite

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vitc/driver"
	"vitc/runtime/mapping"
	"vitc/runtime/predict"
	"vitc/runtime/weights"
)

// preparing declares a model's preprocessing, and predicts what it feeds the model.
const preparing = `edition 1
use vit, augment

model small = vit.ViT(image: 32, patch: 16, width: 4, depth: 1, heads: 1, mlp: 4, classes: 2)

data pictures -> (image: u8[row: 32, col: 32, channel: 3]) {
  stages: [STAGES]
}

eval fed of small {
  data: pictures
  batch: 1
  fn predict(image: u8[batch, row, col, channel]) { (pixels: f32(PIXELS)) }
}
`

// preparations are stages and normalisations, by the names of what oracle/preprocess.py has others make.
var preparations = map[string][2]string{
	"imagenet_bilinear": {"augment.resize(40), augment.crop(32)", "augment.normalise(image)"},
	"imagenet_bicubic":  {`augment.resize(40, filter: "bicubic"), augment.crop(32)`, "augment.normalise(image)"},
	"hugging_face":      {"augment.stretch(32)", "augment.pixels(image)"},
}

// preparedWithin bounds what a number that a model is fed, of up to 3, misses the reference's by. Pixels
// are equal to the byte, and f32 rounds their normalisation in another order.
const preparedWithin = 5e-7

// TestPreparation feeds a picture file through the preprocessing that a program declares, and compares with
// torchvision's transforms and transformers' image processor.
func TestPreparation(t *testing.T) {
	folder := filepath.Join("testdata", "prepare")
	want, err := weights.Open(filepath.Join(folder, "prepared.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for name, p := range preparations {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "prepare.vit")
			if err := os.WriteFile(file, []byte(strings.NewReplacer("STAGES", p[0], "PIXELS", p[1]).Replace(preparing)), 0o666); err != nil {
				t.Fatal(err)
			}
			got := prepared(t, file, filepath.Join(folder, "picture.png"), want.Name())
			if miss := largestMiss(got, mapping.FromBytes(raw(t, want, name))); !(miss <= preparedWithin) {
				t.Errorf("a number misses by %.1e; tolerance %.0e", miss, preparedWithin)
			}
		})
	}
}

// prepared is what the program predicts for a picture: colours, rows and columns. It reads no weights, so
// that any file of them will do.
func prepared(t *testing.T, program, picture, weights string) []float32 {
	t.Helper()
	p, err := driver.OpenPrediction(driver.NewSources(), driver.PredictRequest{Source: driver.Source{File: program}, Target: "ref", Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	inputs, err := p.Find([]string{picture})
	if err != nil {
		t.Fatal(err)
	}
	var out []float32
	failed, err := p.Predict(context.Background(), inputs, func(r predict.Row) error {
		out = planes(t, r.Outputs[0])
		return nil
	})
	if err != nil || len(failed) > 0 {
		t.Fatal(err, failed)
	}
	return out
}

// planes orders an output's axes as channel, row, col.
func planes(t *testing.T, o predict.Output) []float32 {
	t.Helper()
	size, stride := map[string]int{}, map[string]int{}
	step := 1
	for i := len(o.Type.Dims) - 1; i >= 0; i-- {
		d := o.Type.Dims[i]
		size[d.Label], stride[d.Label] = d.Size, step
		step *= d.Size
	}
	data := mapping.FromBytes(o.Data)
	if len(data) != size["channel"]*size["row"]*size["col"] {
		t.Fatalf("an output of %s", o.Type)
	}
	out := make([]float32, 0, len(data))
	for c := range size["channel"] {
		for y := range size["row"] {
			for x := range size["col"] {
				out = append(out, data[c*stride["channel"]+y*stride["row"]+x*stride["col"]])
			}
		}
	}
	return out
}
