package driver

import (
	"fmt"
	"os"
	"path/filepath"
)

// runsDir is where runs without --out keep their checkpoints.
const runsDir = "runs"

// RunFolder names the folder of a run of the train block name, where none was given: a
// new one, runs/NAME or runs/NAME-2 and so on, or, to resume, the last of these that there
// is.
func RunFolder(name string, resume bool) string {
	first := filepath.Join(runsDir, name)
	last := first
	for i := 2; ; i++ {
		if _, err := os.Stat(last); err != nil {
			return last
		}
		next := fmt.Sprintf("%s-%d", first, i)
		if _, err := os.Stat(next); err != nil && resume {
			return last
		}
		last = next
	}
}
