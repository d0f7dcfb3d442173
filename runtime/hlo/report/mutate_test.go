package report

import (
	"math/rand"
	"os"
	"testing"

	"vitc/runtime/hlo"
)

// TestDamaged: a program with bytes changed at random is refused or reported on.
func TestDamaged(t *testing.T) {
	b, err := os.ReadFile("../testdata/mlp.pb")
	if err != nil {
		t.Fatal(err)
	}
	_, on := program(t)
	r := rand.New(rand.NewSource(1))
	reported := 0
	for range 500 {
		c := append([]byte(nil), b...)
		for range 1 + r.Intn(3) {
			c[r.Intn(len(c))] = byte(r.Intn(256))
		}
		m, err := hlo.Read(c)
		if err != nil {
			continue
		}
		if _, err := New(m, Machine{Topology: on.Topology}, 1); err == nil {
			reported++
		}
	}
	if reported == 0 {
		t.Error("every program was refused: nothing was tried")
	}
}
