package llvm

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/codegen"
	"vitc/codegen/llvm/cpu"
	"vitc/ir"
	"vitc/ir/diag"
)

// Every pointwise row of the op table has code.
func TestScalarTable(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range ir.Rows() {
		if r.Class == ir.Pointwise {
			rows[r.Name] = true
			if scalarOps[r.Name] == nil {
				t.Errorf("%s has no entry in scalarOps", r.Name)
			}
		}
	}
	for name := range scalarOps {
		if !rows[name] {
			t.Errorf("scalarOps has %s, which is no pointwise row", name)
		}
	}
	for name := range exactOps {
		if !rows[name] {
			t.Errorf("exactOps has %s, which is no pointwise row", name)
		}
	}
}

const addKernel = `ir scheduled
func @f(%x: f32[n:8] input="x" mem(arg0, 0, 32)) -> (f32[n:8] output="y") {
  %y: f32[n:8] mem(res0, 0, 32) = fusion kind=loop in(%a=%x) {
    %b: f32[n:8] = add %a, %a
    yield %b
  }
  yield %y
}
`

func parsed(t *testing.T, src string) *ir.Module {
	t.Helper()
	m, err := ir.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Code is the same for the same module, whatever its values are called.
func TestGenerateIsStable(t *testing.T) {
	renamed := strings.NewReplacer("%x", "%image", "%a", "%p", "n:8", "pixel:8").Replace(addKernel)
	a, err := Generate(parsed(t, addKernel), cpu.AVX2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Generate(parsed(t, renamed), cpu.AVX2)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Modules) != 1 || a.Modules[0].Name != b.Modules[0].Name || !bytes.Equal(a.Modules[0].Text, b.Modules[0].Text) {
		t.Errorf("modules %v and %v differ", a.Modules[0].Name, b.Modules[0].Name)
	}
	c, err := Generate(parsed(t, strings.Replace(addKernel, "add %a, %a", "mul %a, %a", 1)), cpu.AVX2)
	if err != nil {
		t.Fatal(err)
	}
	if c.Modules[0].Name == a.Modules[0].Name {
		t.Error("a sum and a product have one name")
	}
}

// What has no code is an error that names the op and its place in the program.
func TestGenerateErrors(t *testing.T) {
	saved := scalarOps["add"]
	defer func() { scalarOps["add"] = saved }()
	delete(scalarOps, "add")
	m := parsed(t, addKernel)
	m.Funcs[0].Body.Ops[0].Body.Ops[0].Pos = &diag.Loc{Pos: diag.Pos{File: "net.vit", Line: 7, Col: 3}}
	_, err := Generate(m, cpu.AVX2)
	var e *Error
	if !errors.As(err, &e) || e.Op != "add" || !strings.HasPrefix(e.Error(), "net.vit:7:3: add: has no CPU code") {
		t.Errorf("an op without code: %v", err)
	}
	scalarOps["add"] = saved
	for _, c := range []struct{ old, new, want string }{
		{"ir scheduled", "ir differentiated", "phase differentiated"},
		{"kind=loop", "kind=poem", `kind "poem"`},
		{"mem(res0, 0, 32) = fusion", "= fusion", "has no place in memory"},
		{"fusion kind=loop in(%a=%x) {\n    %b: f32[n:8] = add %a, %a\n    yield %b\n  }", "add %x, %x", "outside of kernels"},
	} {
		_, err := Generate(parsed(t, strings.Replace(addKernel, c.old, c.new, 1)), cpu.AVX2)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.want)
		}
	}
}

// The code of a kernel, and the time to make it, do not grow with its shapes.
func TestHugeShapes(t *testing.T) {
	const src = `ir scheduled
func @f(%x: f32[b:70000, w:16777216] input="x" mem(arg0, 0, 0)) -> (f32[w:16777216] output="y", f32[b:70000] output="z") {
  %y: f32[w:16777216] mem(res0, 0, 0) = fusion kind=loop in(%a=%x) {
    %s: f32[w:16777216] = reduce %a [bw->w] kind=sum
    yield %s
  }
  %z: f32[b:70000] mem(res1, 0, 0) = fusion kind=loop in(%c=%x) {
    %m: f32[b:70000] = reduce %c [bw->b] kind=max
    %n: f32[b:70000, w:16777216] = broadcast %m [b->bw]
    %d: f32[b:70000, w:16777216] = sub %c, %n
    %e: f32[b:70000, w:16777216] = exp %d
    %s: f32[b:70000] = reduce %e [bw->b] kind=sum
    yield %s
  }
  yield %y, %z
}
`
	code, err := Generate(parsed(t, src), cpu.AVX512)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range code.Modules {
		if len(m.Text) > 100<<10 {
			t.Errorf("%s has %d bytes of text", m.Name, len(m.Text))
		}
	}
	if code.Plan.Scratch() > 1<<20 {
		t.Errorf("%d bytes of scratch a thread", code.Plan.Scratch())
	}
}

// Moves in parallel: whatever the permutation, and where places overlap, every destination
// gets what its source held before.
func TestParallelMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const cells = 12
		memory := make([]int, 3*cells)
		for i := range memory {
			memory[i] = i
		}
		var moves []move
		taken := map[int]bool{}
		for range rapid.IntRange(1, 6).Draw(t, "moves") {
			n := rapid.IntRange(1, 3).Draw(t, "bytes")
			dst, src := rapid.IntRange(0, cells-n).Draw(t, "dst"), rapid.IntRange(0, cells-n).Draw(t, "src")
			free := true
			for i := range n {
				free = free && !taken[dst+i]
			}
			if !free {
				continue
			}
			for i := range n {
				taken[dst+i] = true
			}
			moves = append(moves, move{codegen.Addr{Space: "arena", Offset: dst, Bytes: n}, codegen.Addr{Space: "arena", Offset: src, Bytes: n}})
		}
		want := append([]int(nil), memory[:cells]...)
		for _, m := range moves {
			copy(want[m.dst.Offset:m.dst.Offset+m.dst.Bytes], memory[m.src.Offset:m.src.Offset+m.src.Bytes])
		}
		top := cells
		steps := parallel(moves, nil, func(n int) codegen.Addr {
			top += n
			return codegen.Addr{Space: "arena", Offset: top - n, Bytes: n}
		})
		for _, s := range steps {
			d, r := s.Copy.Dst, s.Copy.Src
			if overlap(d, r, nil) {
				t.Fatalf("copy of %v to %v overlaps", r, d)
			}
			copy(memory[d.Offset:d.Offset+d.Bytes], memory[r.Offset:r.Offset+r.Bytes])
		}
		for i, w := range want {
			if memory[i] != w {
				t.Fatalf("cell %d holds %d, want %d: %v", i, memory[i], w, moves)
			}
		}
	})
}
