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
)

// The inputs of functions that are not fields of the data.
const (
	inputSeed  = "seed"  // u32[2], the lower half first
	inputSteps = "steps" // f32[], the number of steps of the run
)

// call runs a function, giving it those of the fields, the seed, the number of steps and the
// results of earlier evaluations that it takes. The step under way is never cut short: the
// context of the call is not the run's. It ends when a process of the job fails.
func (r *Run) call(name string, fields map[string][]byte) ([]codegen.Result, error) {
	fn := r.p.Module.Func(name)
	if fn == nil {
		return nil, machineError(name, errors.New("the program has no such function"))
	}
	inputs := map[string][]byte{}
	for _, port := range fn.Args {
		earlier, isEarlier := r.earlier[port.Name]
		switch bytes, ok := fields[port.Name]; {
		case port.Role == ir.RoleMetric && isEarlier:
			inputs[port.Name] = earlier
		case port.Role == ir.RoleMetric:
			return nil, machineError(name, fmt.Errorf("it needs %s, of an evaluation that has not run yet", port.Name))
		case port.Role != ir.RoleInput:
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
		return nil, machineError(name, r.rankError(err))
	}
	return results, nil
}

// scalars reads the results that are single numbers: those that are reported. Others, such as
// the weights of a linear probe, are for later evaluations.
func scalars(results []codegen.Result) []Metric {
	var list []Metric
	for _, res := range results {
		if x, ok := scalar(res); ok {
			list = append(list, Metric{res.Name, x})
		}
	}
	return list
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
	var said *diag.Diagnostic
	if errors.As(err, &said) {
		return said
	}
	return &diag.Diagnostic{Code: CodeMachine, Msg: fmt.Sprintf("cannot run %s: %v", what, err)}
}
