package testsuite

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"vitc/runtime/dist/mpi"
)

// Commands of scripts that run jobs of processes.

// haveMPI reports whether there is Open MPI, with its mpirun.
func haveMPI() bool {
	_, err := exec.LookPath("mpirun")
	if err == nil {
		_, err = mpi.Find()
	}
	return err == nil
}

// sameLosses compares the losses of the steps that two runs' metrics both have: losses FILE FILE
// TOLERANCE, relative; 0 demands equal bits.
func sameLosses(ts *testscript.TestScript, _ bool, args []string) {
	tolerance, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	a, b := readLosses(ts, args[0]), readLosses(ts, args[1])
	common := 0
	for step, x := range a {
		y, ok := b[step]
		if !ok {
			continue
		}
		common++
		if apart := math.Abs(x-y) / math.Abs(x); !(apart <= tolerance) {
			ts.Fatalf("step %d: losses %g and %g differ by %.2g", step, x, y, apart)
		}
	}
	if common == 0 {
		ts.Fatalf("%s and %s have no step in common", args[0], args[1])
	}
}

func readLosses(ts *testscript.TestScript, name string) map[int]float64 {
	f, err := os.Open(ts.MkAbs(name))
	ts.Check(err)
	defer f.Close()
	all := map[int]float64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct {
			Step int
			Loss *float64
		}
		ts.Check(json.Unmarshal(lines.Bytes(), &line))
		if line.Loss != nil {
			all[line.Step] = *line.Loss
		}
	}
	return all
}

// killRank kills the process of the script's folder that is a rank of a job: killrank N.
func killRank(ts *testscript.TestScript, _ bool, args []string) {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	ts.Check(err)
	want := fmt.Sprintf("\x00%s=%s\x00", "OMPI_COMM_WORLD_RANK", args[0])
	for _, path := range environments {
		env, err := os.ReadFile(path)
		if err != nil || !strings.Contains("\x00"+string(env), want) {
			continue // another's, or gone
		}
		dir, err := os.Readlink(filepath.Join(filepath.Dir(path), "cwd"))
		if err != nil || dir != ts.MkAbs(".") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		ts.Check(err)
		ts.Check(syscall.Kill(pid, syscall.SIGKILL))
		return
	}
	ts.Fatalf("there is no rank %s", args[0])
}
