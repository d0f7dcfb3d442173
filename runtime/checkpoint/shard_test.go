package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/runtime/layout"
	"vitc/runtime/safetensors"
)

// grid is a mesh of some devices, in up to three axes.
func grid(t *rapid.T) ir.Mesh {
	return rapid.SampledFrom([]ir.Mesh{
		{{Name: "x", Size: 1}}, {{Name: "x", Size: 2}}, {{Name: "x", Size: 4}}, {{Name: "x", Size: 2}, {Name: "y", Size: 2}}, {{Name: "x", Size: 3}},
		{{Name: "x", Size: 8}}, {{Name: "x", Size: 2}, {Name: "y", Size: 2}, {Name: "z", Size: 2}}, {{Name: "x", Size: 2}, {Name: "y", Size: 4}},
	}).Draw(t, "mesh")
}

// lay cuts a tensor over a mesh somehow; sizes need not divide.
func lay(t *rapid.T, m ir.Mesh, shape []int) layout.Layout {
	local := ir.T(ir.U32)
	dims := make([][]string, len(shape))
	for _, a := range m {
		if i := rapid.IntRange(-1, len(shape)-1).Draw(t, "dim"); i >= 0 {
			dims[i] = append(dims[i], a.Name)
		}
	}
	for i, n := range shape {
		parts := m.Size(dims[i]...)
		local.Dims = append(local.Dims, ir.Dim{Size: (n + parts - 1) / parts, Global: n})
	}
	return layout.Of(m, local.Sharded(ir.NewSharding(dims, nil, nil)))
}

// tensor is one whose elements differ.
func tensor(name string, shape []int) safetensors.Tensor {
	t := safetensors.Tensor{Name: name, DType: safetensors.U32, Shape: shape}
	n, _ := safetensors.ByteSize(t.DType, shape)
	for i := range n / 4 {
		t.Data = append(t.Data, byte(i), byte(i>>8), name[0], 7)
	}
	return t
}

// commit writes a checkpoint of tensors, of which each device of a mesh has its block.
func commit(t testing.TB, s *Store, step int64, m ir.Mesh, tensors []safetensors.Tensor, layouts []layout.Layout) string {
	t.Helper()
	var list []Written
	taken := map[string]bool{}
	for d := range m.Devices() {
		var pieces []Piece
		for i, whole := range tensors {
			l := layouts[i]
			start, size := l.Box(d)
			key := fmt.Sprint(whole.Name, start)
			if taken[key] || slices.Contains(size, 0) {
				continue
			}
			taken[key] = true
			p := Piece{Tensor: whole, Start: start, Whole: whole.Shape}
			p.Shape, p.Data = size, unpadded(l, d, l.Part(d, whole.Data))
			pieces = append(pieces, p)
		}
		w, err := WriteShard(s.dir, info(step), d, m.Devices(), pieces)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, w)
	}
	path, err := s.Commit(info(step), list)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// unpadded is a device's block without its padding.
func unpadded(l layout.Layout, d int, part []byte) []byte {
	_, size := l.Box(d)
	small := layout.Of(nil, ir.Type{DType: ir.U32})
	for i, n := range size {
		small.Whole.Dims = append(small.Whole.Dims, ir.Dim{Size: n})
		small.Local.Dims = append(small.Local.Dims, l.Local.Dims[i])
	}
	out := make([]byte, small.Whole.Bytes())
	zero := make([]int, len(size))
	runs(box{zero, l.Local.Shape()}, box{zero, size}, func(from, to, n int) error {
		copy(out[4*to:4*(to+n)], part[4*from:])
		return nil
	})
	return out
}

// What the devices of any mesh have written is read back whole, and by the blocks of the devices of
// any other; so is what one device wrote.
func TestAnyMeshReadsAnyOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s, err := OpenStore(dir, 0, 1)
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		tensors := []safetensors.Tensor{tensor("scalar", nil)}
		for _, name := range []string{"a", "b", "c"} {
			tensors = append(tensors, tensor(name, rapid.SliceOfN(rapid.IntRange(1, 9), 1, 3).Draw(rt, name)))
		}
		from, to := grid(rt), grid(rt)
		var path string
		if from.Devices() == 1 {
			if path, err = s.Save(info(1), tensors); err != nil {
				rt.Fatal(err)
			}
		} else {
			var layouts []layout.Layout
			for _, x := range tensors {
				layouts = append(layouts, lay(rt, from, x.Shape))
			}
			path = commit(t, s, 1, from, tensors, layouts)
		}
		readBack(rt, path, tensors, to)
	})
}

func readBack(rt *rapid.T, path string, tensors []safetensors.Tensor, to ir.Mesh) {
	for _, open := range []func(string) (*Checkpoint, error){Load, Join} {
		c, err := open(path)
		if err != nil {
			rt.Fatal(err)
		}
		defer c.Close()
		for _, x := range tensors {
			l := lay(rt, to, x.Shape)
			for d := range to.Devices() {
				start, size := l.Box(d)
				got, err := c.ReadBlock(x.Name, start, size)
				if want := unpadded(l, d, l.Part(d, x.Data)); err != nil || !bytes.Equal(got, want) {
					rt.Fatalf("%s, device %d, %v at %v: %v, %v; want %v", x.Name, d, size, start, got, err, want)
				}
			}
		}
	}
	f, err := OpenTensors(path)
	if err != nil {
		rt.Fatal(err)
	}
	defer f.Close()
	for _, x := range tensors {
		if got, err := f.Read(x.Name); err != nil || !bytes.Equal(got, x.Data) {
			rt.Fatalf("%s: %v, %v", x.Name, got, err)
		}
	}
}

// pair is a checkpoint of two devices: one tensor cut, one whole.
func pair(t testing.TB, s *Store, step int64) string {
	m := ir.Mesh{{Name: "x", Size: 2}}
	tensors := []safetensors.Tensor{tensor("w", []int{4, 3}), tensor("b", []int{2})}
	cut := layout.Of(m, ir.T(ir.U32, ir.Dim{Size: 2}, ir.Dim{Size: 3}).Sharded(ir.NewSharding([][]string{{"x"}, nil}, nil, nil)))
	return commit(t, s, step, m, tensors, []layout.Layout{cut, layout.Of(m, ir.T(ir.U32, ir.Dim{Size: 2}))})
}

// Whatever byte of a shard or manifest is damaged, or whichever is missing or cut short, loading
// says so by the file's name, and a folder falls back to the checkpoint before.
func TestDamagedShards(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 3)
	pair(t, s, 1)
	path := pair(t, s, 2)
	before, err := filepath.Glob(filepath.Join(dir, "step-0000000002.*"))
	if err != nil || len(before) != 3 {
		t.Fatalf("files %v, %v", before, err)
	}
	check := func(file, what string) {
		t.Helper()
		_, err := Load(path)
		fails(t, err, filepath.Base(file))
		c, err := Load(dir)
		if err != nil || c.Step != 1 || len(c.Skipped) != 1 {
			t.Fatalf("%s %s: %v", file, what, err)
		}
		c.Close()
	}
	for _, file := range before {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write := func(b []byte) {
			if err := os.WriteFile(file, b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for i := range good {
			bad := bytes.Clone(good)
			if i%3 > 0 {
				continue
			}
			bad[i] ^= 1 << (i % 8)
			write(bad)
			check(file, fmt.Sprint("byte ", i))
		}
		write(good[:len(good)-1])
		check(file, "cut short")
		if file != path {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			check(file, "missing")
			if _, err := Load(path); errors.Is(err, fs.ErrNotExist) {
				t.Error("a checkpoint that lacks a shard counts as none: a run would start afresh")
			}
		}
		write(good)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A shard of another run or step does not pass, whole as it is.
func TestShardsOfAnotherStep(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 3)
	pair(t, s, 1)
	path := pair(t, s, 2)
	if err := os.Rename(filepath.Join(dir, shardName(1, 0, 2)), filepath.Join(dir, shardName(2, 0, 2))); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path)
	fails(t, err, shardName(2, 0, 2), "expected the shard of checksum")
}

// Old checkpoints go with all their shards; shards that a killed run left without a manifest go when
// the next begins.
func TestOldShardsGo(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 1)
	pair(t, s, 1)
	pair(t, s, 2)
	want := strings.Join([]string{shardName(2, 0, 2), shardName(2, 1, 2), manifestName(2)}, " ")
	if got := names(t, dir); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	if _, err := WriteShard(dir, info(3), 0, 2, nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	openStore(t, dir, 2, 1)
	if got := names(t, dir); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
}

// A manifest is believed in nothing: what it names must be there, be blocks of its tensors, and make
// them up.
func TestHostileManifests(t *testing.T) {
	dir := t.TempDir()
	path := pair(t, openStore(t, dir, 0, 3), 1)
	for want, change := range map[string]func(m *manifest){
		"names of shards":             func(m *manifest) { m.Shards[0].File = "../" + m.Shards[0].File },
		"each tensor once":            func(m *manifest) { m.Tensors = append(m.Tensors, m.Tensors[0]) },
		"blocks of tensors that":      func(m *manifest) { m.Shards[0].Blocks[0].Name = "z" },
		"all of the tensor w":         func(m *manifest) { m.Shards[1].Blocks = nil },
		"blocks of w that are apart":  func(m *manifest) { m.Shards[1].Blocks[0].Start[0] = 1 },
		"a block of U32[4 3] at [3 0": func(m *manifest) { m.Shards[1].Blocks[0].Start[0] = 3 },
		"a block of U32[4 3] at [-1 ": func(m *manifest) { m.Shards[1].Blocks[0].Start[0] = -1 },
		"a block of U32[4 3] at [1]":  func(m *manifest) { m.Shards[1].Blocks[0].Start = []int{1} },
		"a block of I64[4 3]":         func(m *manifest) { m.Tensors[1].DType = safetensors.I64 },
		"types of tensors":            func(m *manifest) { m.Tensors = append(m.Tensors, whole{"z", "F33", nil}) },
		"expected a step":             func(m *manifest) { m.Metadata[keyStep] = "-1" },
		"written by a newer vitc":     func(m *manifest) { m.Metadata[keyFormat] = "99" },
	} {
		m, err := readManifest(path)
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		text, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(dir, manifestName(2))
		if err := os.WriteFile(bad, text, 0o666); err != nil {
			t.Fatal(err)
		}
		_, err = Load(bad)
		fails(t, err, want)
	}
}

// A shard that another machine wrote to a folder of its own is missed before anything is promised.
func TestCommitWithoutAShard(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 1)
	w, err := WriteShard(t.TempDir(), info(1), 0, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(info(1), []Written{w})
	fails(t, err, "a shard that was written is not here", "a folder that all its machines share")
	if got := names(t, dir); got != "" {
		t.Errorf("left %s", got)
	}
}

func TestNoSuchBlock(t *testing.T) {
	c, err := Load(pair(t, openStore(t, t.TempDir(), 0, 1), 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.ReadBlock("w", []int{3, 0}, []int{2, 3})
	fails(t, err, "tensor w: no such block: expected one of U32[4 3], found [2 3] at [3 0]")
	_, err = c.ReadBlock("z", nil, nil)
	fails(t, err, "no tensor z")
	fails(t, c.Restore([]safetensors.Tensor{{Name: "w", DType: safetensors.U32, Shape: []int{4, 3}}, {Name: "b", DType: safetensors.U32, Shape: []int{2}}}), "a buffer of another size")
}
