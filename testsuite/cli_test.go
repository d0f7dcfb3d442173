package testsuite

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"vitc/cmd/vitc/command"
	"vitc/codegen"
	"vitc/codegen/llvm/toolchain"
	"vitc/runtime/pjrt"
	"vitc/runtime/pjrt/aot"
	"vitc/runtime/rng"
)

var update = flag.Bool("update", false, "rewrite what the golden cases expect")

func TestMain(m *testing.M) {
	toolchain.MaybeServe() // the test binary is also vitc, and vitc's compile child
	aot.MaybeServe()
	testscript.Main(m, map[string]func(){
		"vitc": func() { os.Exit(command.Main(os.Args[1:])) },
	})
}

// TestCLI runs the scripts of testdata/cli. Each finds tiny.vit and its data in its folder.
func TestCLI(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "cli"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfor": waitFor, "idx": writeIDX, "truncate": truncate, "status": status, "flip": flip, "isa": setISA, "png": writePNG,
			"losses": sameLosses, "killrank": killRank,
		},
		Condition: condition,
	})
}

// condition adds [llvm]: native code can be compiled here; [xla]: there is XLA for the CPU; [tpu]: the TPU compiler;
// [mpi]: there is Open MPI; and [tmpfs]: a script may mount small disks of its own.
func condition(name string) (bool, error) {
	switch name {
	case "llvm":
		_, err := toolchain.Find()
		return err == nil, nil
	case "xla":
		_, err := pjrt.Find(pjrt.CPU)
		return err == nil, nil
	case "tpu":
		_, err := pjrt.Find(pjrt.TPU)
		return err == nil, nil
	case "mpi":
		return haveMPI(), nil
	case "tmpfs":
		return exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", os.TempDir()).Run() == nil, nil
	}
	return false, fmt.Errorf("no condition %s", name)
}

// setupScript gives a script the tiny program, its data, and folders of its own for what
// vitc keeps.
func setupScript(env *testscript.Env) error {
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("TMPDIR", filepath.Join(env.WorkDir, "tmp"))
	env.Setenv("XDG_CACHE_HOME", sharedCache)
	env.Setenv("NO_COLOR", "1")
	for _, kind := range []pjrt.Kind{pjrt.CPU, pjrt.TPU} {
		if found, err := pjrt.Find(kind); err == nil {
			env.Setenv(kind.Env, found.Path) // they lie in the cache folder of who runs the tests
		}
	}
	text, err := os.ReadFile(filepath.Join("testdata", "tiny.vit"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(env.WorkDir, "tiny.vit"), text, 0o666); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(env.WorkDir, "tmp"), 0o777); err != nil {
		return err
	}
	return tinyData(env.WorkDir)
}

// sharedCache holds compiled objects for all scripts of a test run.
var sharedCache = filepath.Join(os.TempDir(), fmt.Sprintf("vitc-test-cache-%d", os.Getuid()))

const (
	tinySide    = 8
	tinyClasses = 4
	tinyTrain   = 48
	tinyTest    = 20 // a batch of 16 and one of 4
)

// tinyData writes pictures of four patterns with noise.
func tinyData(dir string) error {
	for _, set := range []struct {
		name string
		n    int
	}{{"train", tinyTrain}, {"test", tinyTest}} {
		noise := rng.New(1).FoldString(set.name).Stream()
		var pixels, labels []byte
		for i := range set.n {
			label := i % tinyClasses
			labels = append(labels, byte(label))
			for p := range tinySide * tinySide {
				pixels = append(pixels, pattern(label, p/tinySide, p%tinySide)/2+byte(noise.IntN(100)))
			}
		}
		if err := saveIDX(filepath.Join(dir, set.name+"-images.idx"), pixels, set.n, tinySide, tinySide); err != nil {
			return err
		}
		if err := saveIDX(filepath.Join(dir, set.name+"-labels.idx"), labels, set.n); err != nil {
			return err
		}
	}
	return nil
}

// pattern is a pixel of the picture of a class: bars, columns, a board, a ramp.
func pattern(class, row, col int) byte {
	switch class {
	case 0:
		return byte(row / 2 % 2 * 255)
	case 1:
		return byte(col / 2 % 2 * 255)
	case 2:
		return byte((row + col) / 2 % 2 * 255)
	}
	return byte(row * 32)
}

func saveIDX(path string, data []byte, dims ...int) error {
	out := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		out = binary.BigEndian.AppendUint32(out, uint32(d))
	}
	return os.WriteFile(path, append(out, data...), 0o666)
}

// waitFor waits until a file exists: waitfor PATTERN.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	for range 600 {
		if found, err := filepath.Glob(ts.MkAbs(args[0])); err != nil || len(found) > 0 {
			ts.Check(err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s has not appeared", args[0])
}

// writeIDX writes labels that are all one number: idx FILE NUMBER COUNT.
func writeIDX(ts *testscript.TestScript, _ bool, args []string) {
	var label, n int
	if _, err := fmt.Sscan(args[1]+" "+args[2], &label, &n); err != nil {
		ts.Fatalf("idx FILE NUMBER COUNT: %v", err)
	}
	labels := make([]byte, n)
	for i := range labels {
		labels[i] = byte(label)
	}
	ts.Check(saveIDX(ts.MkAbs(args[0]), labels, n))
}

// writePNG writes a picture of one grey: png FILE ROWS COLS GREY.
func writePNG(ts *testscript.TestScript, _ bool, args []string) {
	var rows, cols int
	var grey uint8
	if _, err := fmt.Sscan(args[1]+" "+args[2]+" "+args[3], &rows, &cols, &grey); err != nil {
		ts.Fatalf("png FILE ROWS COLS GREY: %v", err)
	}
	m := image.NewGray(image.Rect(0, 0, cols, rows))
	for i := range m.Pix {
		m.Pix[i] = grey
	}
	var b bytes.Buffer
	ts.Check(png.Encode(&b, m))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o666))
}

// truncate cuts a file to a number of bytes: truncate FILE BYTES.
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	var n int64
	if _, err := fmt.Sscan(args[1], &n); err != nil {
		ts.Fatalf("truncate FILE BYTES: %v", err)
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// flip inverts a byte of a file, counted from its end: flip FILE PLACE.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	var place int
	if _, err := fmt.Sscan(args[1], &place); err != nil {
		ts.Fatalf("flip FILE PLACE: %v", err)
	}
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	text[len(text)-place] ^= 0xff
	ts.Check(os.WriteFile(path, text, 0o666))
}

// status runs vitc and demands an exit status: status N ARGUMENT...
func status(ts *testscript.TestScript, _ bool, args []string) {
	var want, got int
	if _, err := fmt.Sscan(args[0], &want); err != nil {
		ts.Fatalf("status N ARGUMENT...: %v", err)
	}
	err := ts.Exec("vitc", args[1:]...)
	var exit interface{ ExitCode() int }
	if err != nil {
		var ok bool
		if exit, ok = err.(interface{ ExitCode() int }); !ok {
			ts.Fatalf("vitc did not run: %v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("vitc exits with %d, want %d", got, want)
	}
}

// setISA changes the instruction set that a bundle says it wants: isa FILE LEVEL.
func setISA(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	bundle, err := codegen.ReadBundle(path)
	ts.Check(err)
	bundle.ISA = args[1]
	var b bytes.Buffer
	ts.Check(bundle.Encode(&b))
	ts.Check(os.WriteFile(path, b.Bytes(), 0o666))
}
