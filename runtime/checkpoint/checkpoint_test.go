package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vitc/runtime/safetensors"
)

// state is tensors whose every byte follows from a step.
func state(step int64) []safetensors.Tensor {
	w := bytes.Repeat(binary.LittleEndian.AppendUint64(nil, uint64(step)), 500)
	return []safetensors.Tensor{
		{Name: "net.w", DType: safetensors.F32, Shape: []int{10, 100}, Data: w},
		{Name: "adam.m", DType: safetensors.BF16, Shape: []int{4}, Data: w[:8]},
		{Name: "step", DType: safetensors.I64, Data: w[:8]},
	}
}

// empty is the same tensors without content.
func empty() []safetensors.Tensor {
	list := state(0)
	for i := range list {
		list[i].Data = make([]byte, len(list[i].Data))
	}
	return list
}

func info(step int64) Info {
	return Info{Step: step, Seed: 1 << 63, Program: "abc", Extra: map[string]string{"best": "0.5"}}
}

func openStore(t testing.TB, dir string, from int64, keep int) *Store {
	t.Helper()
	s, err := OpenStore(dir, from, keep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func save(t testing.TB, s *Store, steps ...int64) (path string) {
	t.Helper()
	for _, step := range steps {
		var err error
		if path, err = s.Save(info(step), state(step)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// loads checks that path gives the checkpoint of a step, and returns what was skipped.
func loads(t testing.TB, path string, step int64) []error {
	t.Helper()
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if d := cmp.Diff(info(step), c.Info); d != "" {
		t.Error(d)
	}
	got := empty()
	if err := c.Restore(got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(state(step), got); d != "" {
		t.Error(d)
	}
	return c.Skipped
}

func fails(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v\nlacks %q", err, part)
		}
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestSaveAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "a")
	s := openStore(t, dir, 0, 2)
	first := save(t, s, 5)
	loads(t, first, 5)
	save(t, s, 9, 10, 11)
	loads(t, dir, 11)
	if got := names(t, dir); got != "step-0000000010.safetensors step-0000000011.safetensors" {
		t.Errorf("kept %s", got)
	}
}

// TestLaterStepsAreByNumber: eleven digits sort before ten as text.
func TestLaterStepsAreByNumber(t *testing.T) {
	dir := t.TempDir()
	save(t, openStore(t, dir, 0, 3), 9_999_999_999, 10_000_000_000)
	loads(t, dir, 10_000_000_000)
}

func TestSameStateGivesTheSameBytes(t *testing.T) {
	a, b := save(t, openStore(t, t.TempDir(), 0, 1), 7), save(t, openStore(t, t.TempDir(), 0, 1), 7)
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := os.ReadFile(b); err != nil || !bytes.Equal(x, y) {
		t.Errorf("two files, %v", err)
	}
}

// TestDamageIsSeen: a bit is flipped in every byte of the header and in some of the data, or
// the file cut there; the checkpoint before is loaded instead.
func TestDamageIsSeen(t *testing.T) {
	dir := t.TempDir()
	path := save(t, openStore(t, dir, 0, 2), 1, 2)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rejects := func(b []byte, what string, at int) {
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || hard(err) {
			t.Fatalf("%s at byte %d of %d: %v", what, at, len(whole), err)
		}
	}
	data := 8 + int(binary.LittleEndian.Uint64(whole))
	for at := range whole {
		if at > data && at%16 != 0 {
			continue
		}
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		rejects(b, "bit flipped", at)
		if at%64 == 0 {
			rejects(whole[:at], "cut", at)
		}
	}
	if skipped := loads(t, dir, 1); len(skipped) != 1 || !strings.Contains(skipped[0].Error(), path) {
		t.Errorf("skipped %v", skipped)
	}
}

// edit changes metadata or tensors of a checkpoint.
type edit func(meta map[string]string, tensors []safetensors.Tensor)

// set is the edit of one entry.
func set(key, value string) edit {
	return func(meta map[string]string, _ []safetensors.Tensor) { meta[key] = value }
}

// drop is the edit that removes one entry.
func drop(key string) edit {
	return func(meta map[string]string, _ []safetensors.Tensor) { delete(meta, key) }
}

// forge writes a checkpoint of step 3, edited before its checksums are taken, then after.
func forge(t *testing.T, path string, before, after edit) {
	t.Helper()
	meta, err := info(3).metadata()
	if err != nil {
		t.Fatal(err)
	}
	tensors := state(3)
	before(meta, tensors)
	meta[keySums] = sumsText(sumTensors(tensors), meta)
	after(meta, tensors)
	if err := safetensors.WriteFile(path, meta, tensors); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), fileName(3))
	none := func(map[string]string, []safetensors.Tensor) {}
	cases := []struct {
		before, after edit
		want          string
	}{
		{none, func(_ map[string]string, ts []safetensors.Tensor) { ts[1].Data = make([]byte, 8) }, ": tensor adam.m: damaged checkpoint: expected checksum "},
		{none, func(_ map[string]string, ts []safetensors.Tensor) { ts[0].Shape = []int{100, 10} }, ": header: damaged checkpoint"},
		{none, set(keyStep, "4"), ": header: damaged checkpoint: expected checksum "},
		{none, set(keyFormat, "3"), ": header: damaged checkpoint: expected checksum "},
		{none, set("best", "0.6"), ": header: damaged checkpoint"},
		{none, set(keySums, "00"), "expected 4 checksums, found 1"},
		{none, drop(keySums), "expected metadata vitc.crc32c, found none"},
		{set(keyStep, "-4"), none, `expected a step, found "-4"`},
		{set(keySeed, "x"), none, `expected a seed, found "x"`},
		{set(keyFormat, "0"), none, `expected a format of 1 or more, found "0"`},
		{set(keyFormat, "2"), none, "written by a newer vitc: expected format 1, found 2"},
		{set(keyFormat, "2"), drop(keySums), "written by a newer vitc"},
		{drop(keyFormat), drop(keySums), "not a checkpoint of a run: expected metadata vitc.format, found none"},
	}
	for _, c := range cases {
		forge(t, path, c.before, c.after)
		_, err := Load(path)
		fails(t, err, path, c.want)
	}
}

func TestNewerFormatIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	save(t, openStore(t, dir, 0, 3), 1)
	forge(t, filepath.Join(dir, fileName(3)), set(keyFormat, "2"), drop(keySums))
	_, err := Load(dir)
	fails(t, err, fileName(3), "written by a newer vitc")
}

func TestNothingToLoad(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "no")} {
		if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, fileName(8)), []byte("junk"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir)
	fails(t, err, "none of 1 checkpoints is whole", fileName(8))
	if errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder of damaged checkpoints counts as empty: a run would start afresh")
	}
}

func TestOtherFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"step-1.safetensors", "step-0000000009.safetensors.bak", "best.safetensors", ".step-0000000009.safetensors.ABCDEFGH.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	save(t, openStore(t, dir, 0, 1), 1, 2)
	loads(t, dir, 2)
	if got := names(t, dir); got != "best.safetensors step-0000000002.safetensors step-0000000009.safetensors.bak step-1.safetensors" {
		t.Errorf("left %s", got)
	}
}

func TestAnotherModel(t *testing.T) {
	c, err := Load(save(t, openStore(t, t.TempDir(), 0, 1), 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := empty()
	want[0].Shape = []int{10, 50}
	want[1].Name = "adam.v"
	want[2].DType = safetensors.U64
	want = append(want, safetensors.Tensor{Name: "z", DType: safetensors.U8, Data: []byte{1}})
	fails(t, c.Restore(want), c.Path, "a checkpoint of another model, 5 tensors differ: ",
		"net.w: model F32[10 50], checkpoint F32[10 100]; ", "adam.v: model BF16[4], checkpoint none; ",
		"step: model U64[], checkpoint I64[]; ", "z: model U8[], checkpoint none; and 1 more")
	if !bytes.Equal(want[0].Data, make([]byte, 4000)) {
		t.Error("tensors were written")
	}
	fails(t, c.Restore(empty()[:2]), "1 tensors differ: step: model none, checkpoint I64[]")
}

func TestOneRunAFolder(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 1)
	_, err := OpenStore(dir, 0, 1)
	fails(t, err, dir, "another run writes to the folder")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, dir, 0, 1)
}

func TestLaterCheckpointsAreRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 3)
	last := save(t, s, 10, 20)
	s.Close()
	_, err := OpenStore(dir, 10, 3)
	fails(t, err, fileName(20), "the folder holds a later checkpoint: expected none after step 10, where this run begins, found step 20")
	if err := os.Truncate(last, 100); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, 10, 3) // damaged ones stand in nobody's way
	save(t, s, 15)
	loads(t, dir, 15)
}

func TestRefusals(t *testing.T) {
	s := openStore(t, t.TempDir(), 0, 0)
	_, err := s.Save(Info{Extra: map[string]string{"vitc.x": ""}}, nil)
	fails(t, err, "reserved name", "found vitc.x")
	_, err = s.Save(Info{}, []safetensors.Tensor{{Name: "w", DType: safetensors.U8, Stream: func(io.Writer) error { return nil }}})
	fails(t, err, "tensor w: a stream cannot be summed")
	_, err = OpenStore(t.TempDir(), 0, -1)
	fails(t, err, "expected to keep at least 1")
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = OpenStore(file, 0, 1)
	fails(t, err, "cannot make the folder", "not a directory")
}

// TestFailedSaveKeepsTheOld, and leaves nothing half-written.
func TestFailedSaveKeepsTheOld(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 0, 2)
	save(t, s, 1)
	bad := state(2)
	bad[0].Data = bad[0].Data[:100]
	_, err := s.Save(info(2), bad)
	fails(t, err, "data does not fit the shape: expected 4000 bytes for F32[10 100], found 100")
	loads(t, dir, 1)
	if got := names(t, dir); got != fileName(1) {
		t.Errorf("left %s", got)
	}
}

func FuzzLoad(f *testing.F) {
	b, err := os.ReadFile(save(f, openStore(f, f.TempDir(), 0, 1), 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "f"+strconv.Itoa(len(b)))
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(path); err == nil {
			c.Close()
		}
	})
}
