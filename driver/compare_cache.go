package driver

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"vitc/ir/diag"
	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
	"vitc/runtime/pjrt"
)

// comparedFile is where the estimate of one program under one compiler is kept, "" for nowhere.
type comparedFile string

// estimates is the version of how steps are estimated: estimates made otherwise are not looked at.
const estimates = 1

// openCompared names a program's file by the digest of all that an estimate depends on.
func openCompared(dir string, pod *PodProgram, plugin *pjrt.Found) (comparedFile, error) {
	if dir == "" {
		return "", nil
	}
	files, err := pod.Files()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "estimates %d, %s %s, %s\n", estimates, plugin.Path, plugin.Version, pod.Plan.Mesh)
	for _, f := range files {
		fmt.Fprintf(h, "%s %d\n", f.Name, len(f.Data))
		h.Write(f.Data) // a digest takes all
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", fault.Diagnostic(err, CodeFile, diag.Pos{})
	}
	return comparedFile(filepath.Join(dir, fmt.Sprintf("%x.json", h.Sum(nil)[:16]))), nil
}

// load is what is known, nil if nothing is: a file that cannot be read is made again.
func (c comparedFile) load() *estimated {
	text, err := os.ReadFile(string(c))
	if c == "" || err != nil {
		return nil
	}
	e := &estimated{}
	if json.Unmarshal(text, e) != nil || e.Estimate.Step <= 0 {
		return nil
	}
	return e
}

func (c comparedFile) store(e *estimated) error {
	if c == "" {
		return nil
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	err = atomicfile.Write(string(c), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return fault.Diagnostic(err, CodeFile, diag.Pos{})
	}
	return nil
}
