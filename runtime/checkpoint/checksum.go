package checkpoint

import (
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"vitc/runtime/safetensors"
)

// castagnoli has an instruction on every machine of note: 10 GB/s and more.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the checksum of one tensor.
type sum struct {
	name, typ string
	crc       uint32
}

// sumsText is what the metadata holds: the tensors' checksums by name, then one of these,
// of the names and types and of the metadata, so that no flipped bit goes unseen.
func sumsText(sums []sum, meta map[string]string) string {
	slices.SortFunc(sums, func(a, b sum) int { return strings.Compare(a.name, b.name) })
	whole := crc32.New(castagnoli)
	var text strings.Builder
	for _, s := range sums {
		fmt.Fprintf(&text, "%08x ", s.crc)
		fmt.Fprintf(whole, "%q %s %08x\n", s.name, s.typ, s.crc)
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		if key != keySums {
			fmt.Fprintf(whole, "%q %q\n", key, meta[key])
		}
	}
	fmt.Fprintf(&text, "%08x", whole.Sum32())
	return text.String()
}

// sumTensors sums tensors in memory.
func sumTensors(tensors []safetensors.Tensor) []sum {
	sums := make([]sum, len(tensors))
	for i, t := range tensors {
		sums[i] = sum{t.Name, safetensors.TypeString(t.DType, t.Shape), crc32.Checksum(t.Data, castagnoli)}
	}
	return sums
}

// verify sums every tensor of a file and compares with what its metadata says.
func verify(f *safetensors.File, meta map[string]string) error {
	sums := make([]sum, len(f.Tensors()))
	for i, t := range f.Tensors() {
		h := crc32.New(castagnoli)
		if _, err := io.CopyBuffer(h, f.Section(t), make([]byte, min(1<<20, t.Bytes+1))); err != nil {
			return err
		}
		sums[i] = sum{t.Name, t.String(), h.Sum32()}
	}
	return compare(f.Name(), sums, sumsText(sums, meta), meta[keySums])
}

// compare names the first tensor whose checksum differs; sums are sorted by name.
func compare(path string, sums []sum, got, want string) error {
	if got == want {
		return nil
	}
	words := strings.Fields(want)
	if len(words) != len(sums)+1 {
		return damaged(path, fmt.Sprintf("%d checksums", len(sums)+1), fmt.Sprint(len(words)))
	}
	for i, s := range sums {
		if crc := fmt.Sprintf("%08x", s.crc); crc != words[i] {
			return damaged(path+": tensor "+s.name, "checksum "+words[i], crc)
		}
	}
	return damaged(path+": header", "checksum "+words[len(sums)], got[strings.LastIndexByte(got, ' ')+1:])
}
