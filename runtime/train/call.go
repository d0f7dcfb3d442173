package train

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/data"
)

// The inputs of functions that are not fields of the data.
const (
	inputSeed  = "seed"  // u32[2], the lower half first
	inputSteps = "steps" // f32[], the number of steps of the run
)

// fields names the buffers of a batch.
func (r *Run) fields(ds *data.Dataset, buffers [][]byte) map[string][]byte {
	inputs := make(map[string][]byte, len(buffers))
	for i, f := range ds.Fields() {
		inputs[f.Name] = buffers[i]
	}
	return inputs
}

// call runs a function, giving it those of the fields, the seed and the number of steps that
// it takes, and reads its results. The step under way is never cut short: the context of
// the call is not the run's.
func (r *Run) call(name string, fields map[string][]byte) ([]Metric, error) {
	fn := r.p.Module.Func(name)
	if fn == nil {
		return nil, machineError(name, errors.New("the program has no such function"))
	}
	inputs := map[string][]byte{}
	for _, port := range fn.Args {
		if port.Role != ir.RoleInput {
			continue
		}
		switch bytes, ok := fields[port.Name]; {
		case ok:
			inputs[port.Name] = bytes
		case port.Name == inputSeed:
			inputs[port.Name] = binary.LittleEndian.AppendUint64(nil, r.seed)
		case port.Name == inputSteps:
			inputs[port.Name] = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(r.steps)))
		default:
			return nil, machineError(name, fmt.Errorf("nothing provides its input %s", port.Name))
		}
	}
	results, err := r.m.Call(context.Background(), name, inputs)
	if err != nil {
		return nil, machineError(name, err)
	}
	return scalars(name, results)
}

// scalars reads results that are single numbers.
func scalars(fn string, results []codegen.Result) ([]Metric, error) {
	list := make([]Metric, len(results))
	for i, res := range results {
		x, ok := scalar(res)
		if !ok {
			return nil, machineError(fn, fmt.Errorf("its result %s is %s, a metric is a single number", res.Name, res.Type))
		}
		list[i] = Metric{res.Name, x}
	}
	return list, nil
}

func scalar(res codegen.Result) (float64, bool) {
	if len(res.Data) != res.Type.DType.Bytes() {
		return 0, false
	}
	le := binary.LittleEndian
	switch res.Type.DType {
	case ir.F32, ir.Real:
		return float64(math.Float32frombits(le.Uint32(res.Data))), true
	case ir.BF16:
		return float64(math.Float32frombits(uint32(le.Uint16(res.Data)) << 16)), true
	case ir.I32:
		return float64(int32(le.Uint32(res.Data))), true
	case ir.U32:
		return float64(le.Uint32(res.Data)), true
	case ir.U8, ir.Bool:
		return float64(res.Data[0]), true
	}
	return 0, false
}

// machineError says which part of a program the machine could not run.
func machineError(what string, err error) error {
	return &diag.Diagnostic{Code: CodeMachine, Msg: fmt.Sprintf("cannot run %s: %v", what, err)}
}
