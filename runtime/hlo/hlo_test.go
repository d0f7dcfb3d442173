package hlo

import (
	"errors"
	"os"
	"testing"
)

// mlp is a training step of a residual network of four layers, 1,024 wide, on a mesh of two by
// two chips, parameters sharded: a JAX program as libtpu 0.0.52 compiled it for v4:2x2x1.
func mlp(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/mlp.pb")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRead(t *testing.T) {
	m, err := Read(mlp(t))
	if err != nil {
		t.Fatal(err)
	}
	if m.Name != "jit_step" || len(m.Devices) != 4 || len(m.Aliases) != 2 {
		t.Errorf("%s on devices %d with %d aliases", m.Name, m.Devices, len(m.Aliases))
	}
	loops, estimated, lines := 0, 0, 0
	for _, c := range m.Computations {
		for _, in := range c.Instructions {
			if in.Is("while") {
				loops++
				if in.Trips() != 4 {
					t.Errorf("%s has %d turns, the program has 4 layers", in.Name, in.Trips())
				}
			}
			if in.Config.Cycles > 0 {
				estimated++
			}
			if in.Source.Line > 0 {
				lines++
			}
		}
	}
	if loops != 2 || estimated == 0 || lines == 0 {
		t.Errorf("%d loops, %d instructions with cycles, %d with lines", loops, estimated, lines)
	}
}

// TestReadWithConfig reads the module from the message that PJRT wraps around it.
func TestReadWithConfig(t *testing.T) {
	inner := mlp(t)
	n := len(inner)
	wrapped := append([]byte{0x0a, byte(n | 0x80), byte(n>>7 | 0x80), byte(n >> 14)}, inner...)
	m, err := Read(wrapped)
	if err != nil || m.Name != "jit_step" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestReadTruncated(t *testing.T) {
	b := mlp(t)
	for n := 0; n < len(b); n += 997 {
		var e *Error
		if m, err := Read(b[:n]); !errors.As(err, &e) {
			t.Errorf("the first %d of %d bytes: %v, %v", n, len(b), m, err)
		}
	}
}

// FuzzRead holds the reader to answering, with a module or an *Error.
func FuzzRead(f *testing.F) {
	f.Add(mlp(f))
	f.Add([]byte("\x0a\x01m\x30\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(b)
		var e *Error
		if err != nil && !errors.As(err, &e) || err == nil && m.Entry == nil {
			t.Errorf("%v, %v", m, err)
		}
	})
}

func TestGroups(t *testing.T) {
	for _, c := range []struct {
		name string
		read func([]byte) (*Groups, error)
		b    string
		want []int
	}{
		{"a list", readGroups, "\x0a\x04\x0a\x02\x00\x02\x0a\x04\x0a\x02\x01\x03", []int{0, 2}},
		{"a transposed range", readGroups, "\x12\x0c\x08\x02\x10\x02\x1a\x02\x02\x02\x22\x02\x01\x00", []int{0, 2}},
		{"a range", readGroups, "\x12\x0a\x08\x02\x10\x02\x1a\x01\x04\x22\x01\x00", []int{0, 1}},
		{"the first axis of a mesh", readMeshGroups, "\x0a\x08\x0a\x02\x10\x02\x0a\x02\x10\x02\x12\x00", []int{0, 2}},
	} {
		g, err := c.read([]byte(c.b))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := g.First(4); len(got) != 2 || got[0] != c.want[0] || got[1] != c.want[1] {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
