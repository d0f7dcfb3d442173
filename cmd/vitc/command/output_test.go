package command

import (
	"errors"
	"strings"
	"testing"
)

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// Results that could not be written fail a command that else did well, and hide no other error.
func TestLostResults(t *testing.T) {
	a := &app{out: fullDisk{}}
	if err := a.delivered(nil); err != nil {
		t.Errorf("nothing was written: %v", err)
	}
	a.printf("ok\n")
	if err := a.delivered(nil); err == nil || !strings.Contains(err.Error(), "cannot write the results: no space left") {
		t.Errorf("got %v", err)
	}
	other := errors.New("other")
	if err := a.delivered(other); err != other {
		t.Errorf("got %v, want the first error", err)
	}
}
