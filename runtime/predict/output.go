package predict

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"slices"

	"vitc/codegen"
	"vitc/ir"
	"vitc/runtime/safetensors"
)

// Output is one tensor that is predicted for an input.
type Output = codegen.Result

// Floats are the elements of an output.
func Floats(o Output) []float64 {
	size := o.Type.DType.Bytes()
	list := make([]float64, len(o.Data)/size)
	for i := range list {
		list[i] = element(o.Type.DType, o.Data[i*size:])
	}
	return list
}

func element(d ir.DType, b []byte) float64 {
	switch d {
	case ir.I32:
		return float64(int32(binary.LittleEndian.Uint32(b)))
	case ir.U32:
		return float64(binary.LittleEndian.Uint32(b))
	case ir.U8, ir.Bool:
		return float64(b[0])
	}
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) // predictions are in f32
}

// Top lists the places of the n largest values, the largest first; of equals the first place
// comes first, and what is no number last.
func Top(values []float64, n int) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[j], values[i]) })
	return order[:min(n, len(order))]
}

// Collector keeps rows for one file.
type Collector struct{ rows []Row }

// Add keeps a row.
func (c *Collector) Add(r Row) { c.rows = append(c.rows, r) }

// keyInputs is the metadata that names the inputs in the order of the tensors' rows.
const keyInputs = "inputs"

// Encode writes a safetensors file: each output under its name, its first axis the inputs, whose
// names are a JSON list in the metadata `inputs`.
func (c *Collector) Encode(w io.Writer) error {
	var tensors []safetensors.Tensor
	names := []string{}
	for i, r := range c.rows {
		names = append(names, r.Name)
		for k, o := range r.Outputs {
			if i == 0 {
				shape := append([]int{len(c.rows)}, o.Type.Shape()...)
				tensors = append(tensors, safetensors.Tensor{Name: o.Name, DType: fileTypes[o.Type.DType], Shape: shape})
			}
			tensors[k].Data = append(tensors[k].Data, o.Data...)
		}
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return safetensors.Encode(w, map[string]string{keyInputs: string(list)}, tensors)
}

var fileTypes = map[ir.DType]safetensors.DType{
	ir.F32: safetensors.F32, ir.I32: safetensors.I32, ir.U32: safetensors.U32, ir.U8: safetensors.U8, ir.Bool: safetensors.Bool,
}
