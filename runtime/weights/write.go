package weights

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"vitc/runtime/atomicfile"
	"vitc/runtime/safetensors"
)

// Tensor is an f32 tensor to write.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// WriteFile writes tensors atomically, as .npz where the path ends so, else as safetensors, which
// alone holds metadata. Equal content gives equal bytes.
func WriteFile(path string, metadata map[string]string, tensors []Tensor) error {
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		return atomicfile.Write(path, func(w io.Writer) error { return writeNpz(w, tensors) })
	}
	list := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		list[i] = safetensors.Tensor{Name: t.Name, DType: safetensors.F32, Shape: t.Shape,
			Stream: func(w io.Writer) error { return writeFloats(w, t.Data) }}
	}
	return safetensors.WriteFile(path, metadata, list)
}

// writeNpz writes each tensor as a stored array, without times, which would differ.
func writeNpz(w io.Writer, tensors []Tensor) error {
	z := zip.NewWriter(w)
	for _, t := range tensors {
		entry, err := z.CreateHeader(&zip.FileHeader{Name: t.Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := entry.Write(npyHead(t.Shape)); err != nil {
			return err
		}
		if err := writeFloats(entry, t.Data); err != nil {
			return err
		}
	}
	return z.Close()
}

// npyAlignment is what the elements of an array are aligned to in its file.
const npyAlignment = 64

// npyHead is the header of an f32 array, of version 1: no shape of ours comes near its 64 KiB.
func npyHead(shape []int) []byte {
	sizes := ""
	for _, n := range shape {
		sizes += fmt.Sprintf("%d, ", n)
	}
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", sizes)
	start := len(npyMagic) + 4
	pad := npyAlignment - (start+len(text)+1)%npyAlignment
	text += strings.Repeat(" ", pad%npyAlignment) + "\n"
	head := append([]byte(npyMagic), 1, 0)
	return append(binary.LittleEndian.AppendUint16(head, uint16(len(text))), text...)
}

// writeFloats writes numbers in pieces: a tensor may be large.
func writeFloats(w io.Writer, data []float32) error {
	buffer := make([]byte, 0, 1<<16)
	for len(data) > 0 {
		n := min(len(data), cap(buffer)/4)
		buffer = buffer[:0]
		for _, x := range data[:n] {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(x))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
