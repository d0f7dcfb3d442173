package bench

import "testing"

// Products are counted as the peers' harness counts them.
func TestFlops(t *testing.T) {
	c, err := Find("ti16")
	if err != nil {
		t.Fatal(err)
	}
	block := 197*192*(4*192+2*768) + 2*197*197*192 // projections and MLP; scores and their product with values
	macs := 196*16*16*3*192 + 12*block + 192*1000
	if got := c.Flops(false); got != float64(2*macs) || c.Flops(true) != 3*got {
		t.Errorf("an image takes %g FLOPs forward, %g in a step; want %d", got, c.Flops(true), 2*macs)
	}
	if c.Tokens() != 197 {
		t.Errorf("%d tokens, want 197", c.Tokens())
	}
	if _, err := Find("ti17"); err == nil {
		t.Error("there is no ti17")
	}
}
