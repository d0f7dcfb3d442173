package layout_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"vitc/ir"
	"vitc/runtime/layout"
)

// draw cuts a tensor of up to three dims over a mesh of up to three axes, whose elements are numbered
// from 1, 6·6·6 at most: they are bytes. Sizes need not divide.
func draw(t *rapid.T) (l layout.Layout, whole []byte) {
	var mesh ir.Mesh
	for i := range rapid.IntRange(1, 3).Draw(t, "axes") {
		mesh = append(mesh, ir.MeshAxis{Name: string(rune('x' + i)), Size: rapid.IntRange(1, 3).Draw(t, "size")})
	}
	shape := rapid.SliceOfN(rapid.IntRange(1, 6), 1, 3).Draw(t, "shape")
	dims := make([][]string, len(shape))
	for _, a := range mesh {
		if i := rapid.IntRange(-1, len(shape)-1).Draw(t, "dim"); i >= 0 {
			dims[i] = append(dims[i], a.Name)
		}
	}
	local := ir.T(ir.U8)
	for i, n := range shape {
		parts := mesh.Size(dims[i]...)
		local.Dims = append(local.Dims, ir.Dim{Size: (n + parts - 1) / parts, Global: n})
	}
	l = layout.Of(mesh, local.Sharded(ir.NewSharding(dims, nil, nil)))
	for i := range l.Whole.Size() {
		whole = append(whole, byte(i+1))
	}
	return l, whole
}

// The rows of a window are enough for its devices, and no row is there that none of them needs at its
// ends.
func TestRowsOfAWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, whole := draw(t)
		all := make([]int, l.Mesh.Devices())
		for d := range all {
			all[d] = d
		}
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, len(all), rapid.ID[int]).Draw(t, "devices")
		from, to := l.Window(some)
		row := l.Whole.Bytes() / l.Whole.Dims[0].Size
		first, last := l.Whole.Dims[0].Size, 0
		for _, d := range some {
			want := l.Part(d, whole)
			got := make([]byte, len(want))
			l.TakeRows(d, whole[from*row:to*row], from, got)
			if !bytes.Equal(got, want) {
				t.Fatalf("device %d of %v takes %v from rows %d to %d, want %v", d, l, got, from, to, want)
			}
			for _, b := range want {
				if b != 0 {
					at := int(b-1) / row
					first, last = min(first, at), max(last, at+1)
				}
			}
		}
		if last > 0 && (from != first || to != last) || last == 0 && from != to {
			t.Fatalf("devices %v of %v need rows %d to %d, the window is %d to %d", some, l, first, last, from, to)
		}
	})
}

// A block without its padding is what of the whole stands in its box, and with it again the part.
func TestBoxes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, whole := draw(t)
		back := make([]byte, len(whole))
		for d := range l.Mesh.Devices() {
			part := l.Part(d, whole)
			start, size := l.Box(d)
			small := l.Unpad(d, part)
			if want := slices.DeleteFunc(slices.Clone(part), func(b byte) bool { return b == 0 }); !bytes.Equal(small, want) {
				t.Fatalf("device %d of %v: without padding %v, want %v", d, l, small, want)
			}
			if got := l.Pad(d, small); !bytes.Equal(got, part) {
				t.Fatalf("device %d of %v: padded again %v, want %v", d, l, got, part)
			}
			elements := 1
			for _, n := range size {
				elements *= n
			}
			if elements != len(small) {
				t.Fatalf("device %d of %v: %d elements in a box of %v", d, l, len(small), size)
			}
			if elements > 0 && small[0] != whole[place(l.Whole, start)] {
				t.Fatalf("device %d of %v begins with %d, not with what is at %v", d, l, small[0], start)
			}
			l.Put(d, back, part)
		}
		if !bytes.Equal(back, whole) {
			t.Fatalf("%v: the parts make %v, not %v", l, back, whole)
		}
	})
}

// place is the number of an element.
func place(t ir.Type, at []int) int {
	n := 0
	for i, s := range t.Strides() {
		n += at[i] * s
	}
	return n
}
