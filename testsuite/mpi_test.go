package testsuite

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"vitc/codegen/llvm/llvmtest"
	"vitc/codegen/llvm/toolchain"
	"vitc/driver"
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
	all, err := measuredLosses(ts.MkAbs(name))
	ts.Check(err)
	return all
}

// measuredLosses reads the losses by step of a file of metrics.
func measuredLosses(path string) (map[int]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := map[int]float64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct {
			Step int
			Loss *float64
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if line.Loss != nil {
			all[line.Step] = *line.Loss
		}
	}
	return all, nil
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

// ranksOf are the plans of examples/fashion.vit, which are for eight devices, for four.
var ranksOf = strings.NewReplacer("cpu(8)", "cpu(4)", "(data: 8)", "(data: 4)", "(model: 4, half: 2)", "(model: 2, half: 2)",
	"(data: 2, keep: 2, model: 2)", "(data: 1, keep: 2, model: 2)")

// Four processes train fashion.vit as one device does, under every plan; sharing examples alone
// changes no bit.
func TestFashionOnRanks(t *testing.T) {
	_, err := toolchain.Find()
	llvmtest.SkipWithout(t, err)
	if !haveMPI() {
		t.Skip("there is no Open MPI")
	}
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join(root, "examples", "fashion.vit"))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "fashion.vit")
	if err := os.WriteFile(program, []byte(ranksOf.Replace(string(text))), 0o666); err != nil {
		t.Fatal(err)
	}
	steps := deviceSteps(t)
	if got, want := ranksLosses(t, program, "dp", steps), trained(t, "cpu", steps, driver.Source{Devices: 1}).losses; !slices.Equal(got, want) {
		t.Errorf("dp: losses are %v\n on one device %v", got, want)
	}
	one := trained(t, "cpu", steps, driver.Source{}).losses
	for _, plan := range []string{"fsdp", "tp", "mixed"} {
		closeLosses(t, plan+" on four ranks", one, ranksLosses(t, program, plan, steps))
	}
}

// ranksLosses trains on four processes under a plan, as trained does on one.
func ranksLosses(t *testing.T, program, plan string, steps int) []float64 {
	t.Helper()
	dir := t.TempDir()
	vitc := filepath.Join(dir, "vitc") // by which name the test binary is vitc
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, vitc)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "metrics.jsonl")
	c := exec.Command("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "4", vitc, "run", program, "--dist", "mpi", "--plan", plan,
		"--steps", strconv.Itoa(steps), "--seed", fmt.Sprint(soundSeed), "--out", filepath.Join(dir, "out"), "--metrics", file)
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+sharedCache)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", plan, err, out)
	}
	all, err := measuredLosses(file)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]float64, steps)
	for i := range list {
		list[i] = float64(float32(all[i+1])) // the file has no more digits than an f32
	}
	return list
}
