package fashion

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
)

func unpack(t *testing.T, name string) []byte {
	t.Helper()
	f, err := Files.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestContent pins the unpacked files: accuracies in documents and tests are of these.
func TestContent(t *testing.T) {
	for name, want := range map[string]string{
		"train-images-idx3-ubyte.gz": "255e4ee5030c1b3f2a0487f20aef011c00dd85e812ddd30dddf3d68b3943af7a",
		"train-labels-idx1-ubyte.gz": "493780981a45d260a4fb83486cce245889abff22d54e2fe246a1fcffc99c1ba1",
		"t10k-images-idx3-ubyte.gz":  "7f8e06b687754aef2806b7a0e7748c2e00c1f6a200fee1b46cb73ba4819b9d9c",
		"t10k-labels-idx1-ubyte.gz":  "7b9f1d61b8ae1834f18542447d9936d481ccbd328aac5858bef25b0032840fba",
	} {
		sum := sha256.Sum256(unpack(t, name))
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: sha256 %s", name, got)
		}
	}
}

func TestClassesAreBalanced(t *testing.T) {
	for name, perClass := range map[string]int{"train-labels-idx1-ubyte.gz": 160, "t10k-labels-idx1-ubyte.gz": 40} {
		var count [10]int
		for _, label := range unpack(t, name)[8:] {
			count[label]++
		}
		for class, n := range count {
			if n != perClass {
				t.Errorf("%s: %d of class %d, want %d", name, n, class, perClass)
			}
		}
	}
}
