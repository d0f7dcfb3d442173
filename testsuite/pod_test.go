package testsuite

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"vitc/codegen"
	"vitc/driver"
	"vitc/runtime/pjrt"
)

// TestTPUCompilerTakesPrograms compiles a small ViT for four v4 chips, divided by either
// partitioner, and reads the bundle back. Skipped where there is no TPU compiler.
func TestTPUCompilerTakesPrograms(t *testing.T) {
	var none *pjrt.NotFoundError
	if _, err := pjrt.Find(pjrt.TPU); errors.As(err, &none) {
		t.Skip(err)
	}
	for _, partitioner := range driver.Partitioners() {
		t.Run(partitioner, func(t *testing.T) {
			pod, _, err := driver.LowerPod(driver.NewSources(), driver.PodRequest{Target: "tpu:v4:2x2x1", Partitioner: partitioner,
				Source: driver.Source{File: filepath.Join("testdata", "pod.vit")}})
			if err != nil {
				t.Fatal(err)
			}
			built, err := pod.Compile(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var file bytes.Buffer
			if err := built.Encode(&file); err != nil {
				t.Fatal(err)
			}
			checkPod(t, pod, built, file.Bytes())
		})
	}
}

// checkPod reads a bundle back.
func checkPod(t *testing.T, pod *driver.PodProgram, built *driver.PodBuilt, file []byte) {
	t.Helper()
	b, err := codegen.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Part(driver.PartStableHLO), pod.Text) {
		t.Error("the bundle holds another program")
	}
	for _, name := range []string{driver.PartOptions, driver.PartCompile, driver.PartExecutable, driver.PartOptimized, driver.PartMemory} {
		if len(b.Part(name)) == 0 {
			t.Errorf("the bundle has no %s", name)
		}
	}
	if m := built.Result.Memory; m.Peak <= 0 || m.Peak > 1<<30 || m.Aliased < m.Arguments/2 {
		t.Errorf("memory: %+v: the state is to be updated in place, within a GiB", m)
	}
}
