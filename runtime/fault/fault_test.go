package fault

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestErrorJoinsItsParts(t *testing.T) {
	cases := []struct {
		err  Error
		want string
	}{
		{Error{Msg: "empty"}, "empty"},
		{Error{Where: "a.gz", Msg: "cut short", Expected: "10 bytes", Found: "4 bytes", Fix: "copy it again"},
			"a.gz: cut short: expected 10 bytes, found 4 bytes; fix: copy it again"},
		{Error{Msg: "bad label", Found: "12"}, "bad label: found 12"},
		{Error{Where: "x", Msg: "cannot open", Err: fs.ErrNotExist}, "x: cannot open: file does not exist"},
	}
	for _, c := range cases {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestCauseDropsThePath(t *testing.T) {
	if got := Cause(&fs.PathError{Op: "open", Path: "a", Err: fs.ErrNotExist}); got != fs.ErrNotExist {
		t.Errorf("got %v", got)
	}
	if got := Cause(&os.LinkError{Op: "rename", Old: "a", New: "b", Err: fs.ErrExist}); got != fs.ErrExist {
		t.Errorf("got %v", got)
	}
	if other := errors.New("other"); Cause(other) != other || Cause(nil) != nil {
		t.Error("another error is changed")
	}
}

func TestUnwrapGivesTheCause(t *testing.T) {
	if !errors.Is(&Error{Msg: "m", Err: fs.ErrPermission}, fs.ErrPermission) {
		t.Error("the cause is not reachable")
	}
}
