package data

import (
	"errors"
	"fmt"

	"vitc/runtime/fault"
	"vitc/runtime/rng"
)

// ErrLater marks the error of what is in the library but not yet in this version.
var ErrLater = errors.New("it comes in a later version")

// Validate checks all of a declaration that can be checked without its files: the types of
// the fields, the names and arguments of the stages and of the source.
func (d Decl) Validate() error {
	if _, err := layOut(d); err != nil {
		return err
	}
	if _, err := bindStages(d.Stages, rng.Key{}); err != nil {
		return err
	}
	if _, _, err := bindSource(d.Source); err != nil {
		return err
	}
	return d.checkShuffle()
}

func (d Decl) checkShuffle() error {
	if d.Shuffle >= ShuffleAll {
		return nil
	}
	return &fault.Error{Where: "data " + d.Name, Msg: "bad shuffle", Expected: "all, none or a number of examples", Found: fmt.Sprint(int(d.Shuffle))}
}
