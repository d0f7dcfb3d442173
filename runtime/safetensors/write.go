package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"vitc/runtime/atomicfile"
	"vitc/runtime/fault"
)

// Tensor is one to write: its bytes are Data, or, where Stream is set, what Stream
// writes when its turn comes.
type Tensor struct {
	Name   string
	DType  DType
	Shape  []int
	Data   []byte // row-major, little-endian
	Stream func(w io.Writer) error
}

// WriteFile writes a file atomically: on any error what stood at path is intact.
func WriteFile(path string, metadata map[string]string, tensors []Tensor) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, metadata, tensors) })
}

// Encode writes the format to w. Tensors go largest element type first, then by name, so
// that equal content gives equal bytes and each tensor lies at a multiple of its
// element's size; metadata goes by key.
func Encode(w io.Writer, metadata map[string]string, tensors []Tensor) error {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType.Size(), a.DType.Size()), cmp.Compare(a.Name, b.Name))
	})
	sizes, err := checkTensors(tensors)
	if err != nil {
		return err
	}
	text, err := headerText(metadata, tensors, sizes)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for i, t := range tensors {
		if err := writeTensor(w, t, sizes[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkTensors returns the tensors' sizes in bytes, having refused what would make a
// file that does not read back.
func checkTensors(tensors []Tensor) ([]int64, error) {
	sizes := make([]int64, len(tensors))
	seen := make(map[string]bool, len(tensors))
	for i, t := range tensors {
		size, ok := ByteSize(t.DType, t.Shape)
		switch {
		case !ok:
			return nil, tensorFault(t, "no such type", "one of "+dtypeNames()+", sizes of at least 0", TypeString(t.DType, t.Shape))
		case !utf8.ValidString(t.Name):
			return nil, tensorFault(t, "name is not text", "UTF-8", "other bytes")
		case t.Name == metadataKey:
			return nil, tensorFault(t, "reserved name", "another", metadataKey)
		case seen[t.Name]:
			return nil, tensorFault(t, "two tensors of one name", "", "")
		case t.Stream == nil && int64(len(t.Data)) != size:
			return nil, tensorFault(t, "data does not fit the shape", fmt.Sprintf("%d bytes for %s", size, TypeString(t.DType, t.Shape)), fmt.Sprintf("%d", len(t.Data)))
		}
		seen[t.Name] = true
		sizes[i] = size
	}
	return sizes, nil
}

func tensorFault(t Tensor, msg, expected, found string) error {
	return &fault.Error{Where: "tensor " + clip(strconv.Quote(t.Name)), Msg: msg, Expected: expected, Found: found}
}

// headerText is the length and the JSON header, padded with spaces so that the data
// begins at a multiple of headerAlignment. Maps would sort tensors by name: the text is
// put together by hand to keep the order of the data.
func headerText(metadata map[string]string, tensors []Tensor, sizes []int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, lengthBytes))
	sep := "{"
	if len(metadata) > 0 {
		b.WriteString(sep + quote(metadataKey) + ":{")
		sep = ""
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, &fault.Error{Msg: "metadata is not text", Expected: "UTF-8", Found: strconv.Quote(key) + ": " + clip(strconv.Quote(metadata[key]))}
			}
			b.WriteString(sep + quote(key) + ":" + quote(metadata[key]))
			sep = ","
		}
		b.WriteString("}")
	}
	offset := int64(0)
	for i, t := range tensors {
		shape, _ := json.Marshal(append([]int{}, t.Shape...)) // [] rather than null for a scalar
		fmt.Fprintf(b, `%s%s:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, sep, quote(t.Name), t.DType, shape, offset, offset+sizes[i])
		offset += sizes[i]
		sep = ","
	}
	if sep == "{" {
		b.WriteString(sep)
	}
	b.WriteString("}")
	for b.Len()%headerAlignment != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - lengthBytes
	if n > maxHeaderBytes {
		return nil, &fault.Error{Msg: "header too long", Expected: fmt.Sprintf("at most %d bytes", maxHeaderBytes), Found: strconv.Itoa(n)}
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}

// quote prints s, valid UTF-8, as a JSON string, which cannot fail.
func quote(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

func writeTensor(w io.Writer, t Tensor, size int64) error {
	if t.Stream == nil {
		_, err := w.Write(t.Data)
		return err
	}
	counted := &countingWriter{w: w}
	if err := t.Stream(counted); err != nil {
		return err
	}
	if counted.n != size {
		return tensorFault(t, "stream of another size", fmt.Sprintf("%d bytes for %s", size, TypeString(t.DType, t.Shape)), fmt.Sprintf("%d", counted.n))
	}
	return nil
}

// countingWriter counts what passes.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
