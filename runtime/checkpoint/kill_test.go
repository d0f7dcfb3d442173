package checkpoint

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// killedChild, when set, makes the test binary resume from the folder it names and save
// checkpoints until it is killed.
const killedChild = "CHECKPOINT_KILLED_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedChild); dir != "" {
		if err := train(dir); err != nil {
			os.Stderr.WriteString(err.Error())
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// train is a training run without the training.
func train(dir string) error {
	step := int64(0)
	c, err := Load(dir)
	switch {
	case err == nil && len(c.Skipped) > 0:
		return c.Skipped[0] // our own writers leave none
	case err == nil:
		step = c.Step
		c.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s, err := OpenStore(dir, step, 2)
	os.Stdout.WriteString("ready")
	for err == nil {
		step++
		_, err = s.Save(info(step), state(step))
	}
	return err
}

// TestKilledAtAnyMoment kills a run over and over, each time a little later or earlier, and
// loads its latest checkpoint: it must be whole, and never before one that was there.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	before, end := int64(0), time.Now().Add(2*time.Second)
	for kills := 0; kills < 5 || time.Now().Before(end); kills++ {
		if said := runAndKill(t, dir, time.Duration(r.IntN(40))*time.Millisecond); said != "" {
			t.Fatalf("kill %d: the next run failed: %s", kills, said)
		}
		before = latest(t, dir, before)
	}
	if before == 0 {
		t.Error("no checkpoint was ever saved: the test saw nothing")
	}
}

// runAndKill kills a run some time after it has begun to save, and returns its complaints.
func runAndKill(t *testing.T, dir string, after time.Duration) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedChild+"="+dir)
	cmd.Stderr = &said
	ready, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready.Read(make([]byte, 1)) // at the end of its output too, when it failed
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	return said.String()
}

// latest loads the folder's checkpoint, demands that it is whole and not older than before,
// and returns its step; 0 while the first is not yet saved.
func latest(t *testing.T, dir string, before int64) int64 {
	t.Helper()
	c, err := Load(dir)
	if errors.Is(err, fs.ErrNotExist) && before == 0 {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Step < before {
		t.Fatalf("the latest checkpoint is of step %d, and was of %d", c.Step, before)
	}
	if skipped := loads(t, c.Path, c.Step); len(skipped)+len(c.Skipped) > 0 {
		t.Fatalf("half-written: %v", c.Skipped)
	}
	return c.Step
}
