package driver

import (
	"fmt"
	"path/filepath"
)

// runsDir is where runs without --out keep their checkpoints.
const runsDir = "runs"

// RunFolder names the folder of a run of the train block name, where none was given: the
// first of runs/NAME, runs/NAME-2 and so on that holds no checkpoint, or, to resume, the one
// before it.
func RunFolder(name string, resume bool) string {
	before := filepath.Join(runsDir, name)
	for i, folder := 2, before; ; i++ {
		found, _ := filepath.Glob(filepath.Join(folder, "step-*.safetensors")) // the pattern is well formed
		switch {
		case len(found) > 0:
			before, folder = folder, filepath.Join(runsDir, fmt.Sprintf("%s-%d", name, i))
		case resume:
			return before
		default:
			return folder
		}
	}
}
