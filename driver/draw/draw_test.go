package draw

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"vitc/ir"
)

// tensorOf draws the argument of a type on the mesh (x:2, y:2): devices 0 to 3 at (0,0) to (1,1).
func tensorOf(t *testing.T, ty string) Tensor {
	t.Helper()
	m, err := ir.Parse("ir partitioned mesh(x:2, y:2)\nfunc @f(%v: " + ty + " input=\"v\") -> () {\n yield }")
	if err != nil {
		t.Fatal(err)
	}
	d := &drawer{mesh: m.Mesh}
	return d.tensor(m.Funcs[0].Body.Params[0])
}

// Grids are of the dims that are cut, or of the last two, and every device stands in its block.
func TestTensor(t *testing.T) {
	for _, c := range []struct{ ty, want string }{
		{"f32[a:2, b:3]{a@x}", "a:4@x b:3@ [[0 1] [2 3]] 1"},
		{"f32[a:2, b:3]{b@x, a@y}", "a:4@y b:6@x [[0][2] [1][3]] 1"},
		{"f32[a:2, b:3, c:4]{a@(x, y)}", "a:8@x, y c:4@ [[0] [1] [2] [3]] 1"},
		{"f32[a:2, b:3, c:4]", "b:3@ c:4@ [[0 1 2 3]] 1"},
		{"f32[a:3/5]{a@x}", "@ a:5@x [[0 1][2 3]] 1"},
		{"f32[a:3]{+x}", "@ a:3@ [[0 1]] 2"},
		{"f32[]{+x, +y}", "@ @ [[0]] 4"},
	} {
		x := tensorOf(t, c.ty)
		var rows []string
		for _, r := range x.Blocks {
			row := ""
			for _, b := range r {
				row += fmt.Sprint(b.Devices)
			}
			rows = append(rows, row)
		}
		got := fmt.Sprintf("%s@%s %s@%s %v %d", x.Rows.Label, x.Rows.Over, x.Cols.Label, x.Cols.Over, rows, x.Sheets)
		if got != c.want {
			t.Errorf("%s: %s, expected %s", c.ty, got, c.want)
		}
	}
}

// A ring over 64 devices: the picture is XML, leaves out most blocks, and names no device twice.
func TestLargeMeshes(t *testing.T) {
	m, err := ir.Parse(`ir partitioned mesh(x:64)
func @f(%w: f32[a:2, b:3]{a@x} input="w") -> (f32[a:128, b:3] output="y") {
  %r: f32[a:2, b:3]{?x} = permute %w over=x step=3
  %y: f32[a:128, b:3] = all_gather %r dim=0 over=x
  yield %y }`)
	if err != nil {
		t.Fatal(err)
	}
	panels := Steps(m, m.Funcs[0], "")
	if len(panels) != 2 || panels[0].Title != "permute over x, 3 on" {
		t.Fatalf("%+v", panels)
	}
	for i, row := range panels[0].Result.Blocks {
		if want := []int{(i + 3) % 64}; !slices.Equal(row[0].Devices, want) {
			t.Errorf("block %d is with %v, expected %v", i, row[0].Devices, want)
		}
	}
	picture := SVG(panels)
	if n := strings.Count(string(picture), "<rect"); n > 40 {
		t.Errorf("%d rectangles", n)
	}
	if !strings.Contains(string(picture), "…") {
		t.Error("nothing is left out")
	}
	for d := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Only what belongs to the path is drawn.
func TestPath(t *testing.T) {
	m, err := ir.Parse(`ir partitioned mesh(x:2)
func @f(%v: f32[a:2]{+x} input="v", %w: f32[a:2]{+x} input="w") -> (f32[a:2] output="y", f32[a:2] output="z") {
  %y: f32[a:2] = all_reduce %v over=x kind=sum loc("n.vit":3:1; "net.up")
  %z: f32[a:2] = all_reduce %w over=x kind=sum loc("n.vit":4:1; "net.upper")
  yield %y, %z }`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"net.up": "n.vit:3", "net": "n.vit:3 n.vit:4", "net.u": "", "": "n.vit:3 n.vit:4"} {
		var got []string
		for _, p := range Steps(m, m.Funcs[0], path) {
			got = append(got, p.Place)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, expected %s", path, got, want)
		}
	}
}
