package testsuite

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitc/driver"
	"vitc/driver/draw"
	"vitc/ir"
)

// The chapter docs/sharding.md, its program, and the ring that it takes apart.
var (
	chapter      = filepath.Join("..", "docs", "sharding.md")
	shardingFile = filepath.Join("testdata", "sharding", "matmul.vit")
	ringFile     = filepath.Join("testdata", "sharding", "ring.ir")
)

// TestShardingChapter: what the chapter quotes is what there is. A block of code says behind its
// language of what its lines are: vit and ir blocks of the program after a pass, or of the ring.
func TestShardingChapter(t *testing.T) {
	text, err := os.ReadFile(chapter)
	if err != nil {
		t.Fatal(err)
	}
	quoted := 0
	for _, block := range strings.Split(string(text), "\n```")[1:] {
		head, body, ok := strings.Cut(block, "\n")
		kind := strings.Fields(head)
		if !ok || len(kind) != 2 {
			continue
		}
		source := sourceOf(t, kind[1])
		for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
			if line = strings.TrimSpace(line); line != "" && line != "..." {
				quoted++
				if !slices.Contains(source, line) {
					t.Errorf("%s quotes of %s\n%s\nwhich is not there", chapter, kind[1], line)
				}
			}
		}
	}
	if quoted < 25 {
		t.Errorf("only %d lines are quoted", quoted)
	}
}

// sourceOf is the lines that a block may quote.
func sourceOf(t *testing.T, name string) []string {
	t.Helper()
	var text []byte
	var err error
	switch name {
	case "matmul.vit":
		text, err = os.ReadFile(shardingFile)
	case "ring":
		text, err = os.ReadFile(ringFile)
	default:
		text, err = driver.Dump(t.Context(), driver.NewSources(), driver.DumpRequest{Stage: name, Target: "ref",
			Source: driver.Source{File: shardingFile, Plan: "grid"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(text), "\n") {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

// TestRingOfTheChapter: the ring is a program that the verifier takes, and computes the product.
func TestRingOfTheChapter(t *testing.T) {
	text, err := os.ReadFile(ringFile)
	if err != nil {
		t.Fatal(err)
	}
	ring := parsed(t, string(text))
	if err := ir.Verify(ring); err != nil {
		t.Fatal(err)
	}
	whole := parsed(t, `ir differentiated
func @product(%x: f32[batch:64, width:32] input="x", %w: f32[width:32, mlp:128] input="w") -> (f32[batch:64, mlp:128] output="h") {
  %h: f32[batch:64, mlp:128] = dot %x, %w [bw,wm->bm]
  yield %h
}`)
	checkMesh(t, whole, ring)
}

// TestPictures: the chapter's pictures are those that vitc draws; -update draws them anew.
func TestPictures(t *testing.T) {
	drawn, err := driver.Draw(driver.NewSources(), driver.DrawRequest{Path: "up", Stage: "partition", Source: driver.Source{File: shardingFile, Plan: "grid"}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(ringFile)
	if err != nil {
		t.Fatal(err)
	}
	ring := parsed(t, string(text))
	for name, picture := range map[string][]byte{"matmul.svg": drawn, "ring.svg": draw.SVG(draw.Steps(ring, ring.Func("product"), ""))} {
		file := filepath.Join("..", "docs", "pictures", name)
		if *update {
			if err := os.WriteFile(file, picture, 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		have, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(have, picture) {
			t.Errorf("%s is not what vitc draws (%v); go test ./testsuite -run TestPictures -update draws it", file, err)
		}
	}
}
