package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// DefaultKeep is how many checkpoints a folder keeps.
const DefaultKeep = 3

// Store is the folder that a run writes its checkpoints to. It belongs to one goroutine,
// and the folder to one Store at a time.
type Store struct {
	dir  string
	keep int
	lock *os.File
}

// OpenStore prepares a folder, made if need be, for a run that begins at step from: it
// locks the folder against a second run, removes what killed writers left, and refuses a
// folder whose whole checkpoints are of later steps, because Load would take them for the
// latest. Damaged later ones are removed. keep of 0 is DefaultKeep. The caller closes it.
func OpenStore(dir string, from int64, keep int) (*Store, error) {
	if keep == 0 {
		keep = DefaultKeep
	}
	if keep < 1 || from < 0 {
		return nil, &fault.Error{Where: dir, Msg: "bad settings of checkpoints", Expected: "to keep at least 1, from step 0 or later", Found: fmt.Sprintf("keep %d, step %d", keep, from)}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, &fault.Error{Where: dir, Msg: "cannot make the folder for checkpoints", Err: fault.Cause(err)}
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir, keep, lock}
	if err := s.clean(from); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// lockFolder locks the folder itself: no lock file to go stale, and the system releases it
// when the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, &fault.Error{Where: dir, Msg: "cannot open the folder for checkpoints", Err: fault.Cause(err)}
	}
	err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return d, nil // some network file systems have no locks
	}
	d.Close()
	e := &fault.Error{Where: dir, Msg: "cannot lock the folder for checkpoints", Err: err}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		e = &fault.Error{Where: dir, Msg: "another run writes to the folder", Fix: "wait for it, or give this run another folder"}
	}
	return nil, e
}

func (s *Store) clean(from int64) error {
	if err := atomicfile.Clean(s.dir, filePrefix); err != nil {
		return &fault.Error{Where: s.dir, Msg: "cannot remove what a killed run left", Err: err}
	}
	if err := s.removeOrphans(); err != nil {
		return err
	}
	files, err := list(s.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.step <= from {
			continue
		}
		c, err := open(f.path)
		switch {
		case err == nil:
			c.Close()
			return &fault.Error{Where: f.path, Msg: "the folder holds a later checkpoint", Expected: fmt.Sprintf("none after step %d, where this run begins", from),
				Found: fmt.Sprintf("step %d", f.step), Fix: "resume from it, remove it, or give this run another folder"}
		case hard(err):
			return err
		}
		if err := f.remove(); err != nil {
			return &fault.Error{Where: f.path, Msg: "cannot remove a damaged checkpoint", Err: fault.Cause(err)}
		}
	}
	return nil
}

// Save writes the checkpoint of info.Step and removes all but the last few. On an error the
// checkpoints before it are as they were. It returns the path. The tensors have their bytes
// in Data, for they are read twice: their checksums stand before them.
func (s *Store) Save(info Info, tensors []safetensors.Tensor) (string, error) {
	path := filepath.Join(s.dir, fileName(info.Step))
	for _, t := range tensors {
		if t.Stream != nil {
			return "", &fault.Error{Where: path + ": tensor " + t.Name, Msg: "a stream cannot be summed", Expected: "its bytes in Data"}
		}
	}
	meta, err := info.metadata()
	if err != nil {
		return "", err
	}
	meta[keySums] = sumsText(sumTensors(tensors), meta)
	if err := safetensors.WriteFile(path, meta, tensors); err != nil {
		return "", err
	}
	return path, s.prune()
}

// prune removes the oldest checkpoints beyond the number to keep.
func (s *Store) prune() error {
	files, err := list(s.dir)
	if err != nil {
		return err
	}
	for _, f := range files[:max(0, len(files)-s.keep)] {
		if err := f.remove(); err != nil {
			return &fault.Error{Where: f.path, Msg: "cannot remove an old checkpoint", Err: fault.Cause(err)}
		}
	}
	return nil
}

// Close unlocks the folder.
func (s *Store) Close() error { return s.lock.Close() }
