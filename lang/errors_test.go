package lang

import (
	"io/fs"
	"testing"
)

// TestErrors checks every program of the archives and compares what is reported.
func TestErrors(t *testing.T) {
	golden(t, "testdata/errors/*.txtar", func(t *testing.T, name string, src []byte) string {
		u, list := Load(name, src, func(string) ([]byte, error) { return nil, fs.ErrNotExist })
		if list.Errors() == 0 {
			list = Check(u)
		}
		if len(list) == 0 {
			t.Errorf("%s: nothing is reported", name)
		}
		return rendered(t, u, list)
	})
}
