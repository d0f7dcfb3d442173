package driver

import (
	"errors"
	"fmt"
	"strings"

	"vitc/codegen/onnx"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/passes"
	"vitc/runtime/fault"
	"vitc/runtime/leaves"
	"vitc/runtime/train"
)

// ONNXRequest says what becomes an ONNX model.
type ONNXRequest struct {
	Source         // Block may name a train block or a model
	Eval    string // the eval block, "" where but one predicts
	Weights string // a checkpoint, or a folder of them
	Batch   int    // 0: any
}

// onnxPipeline is the target whose passes give what the exporter reads: core ops in f32.
const onnxPipeline = "ref"

// ONNX writes a prediction, or a model that no eval block predicts with, as an ONNX model in f32
// with its weights. The list holds warnings.
func ONNX(s *Sources, q ONNXRequest) ([]byte, diag.List, error) {
	p, fn, warnings, err := inference(s, q)
	if err != nil {
		return nil, nil, err
	}
	m := &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{fn}}
	fn.Precision = ir.F32 // what runs elsewhere is as exact as can be
	if err := runPasses(m, passes.Pipeline(onnxPipeline), passOptions(onnxPipeline, nil)); err != nil {
		return nil, nil, err
	}
	f, err := leaves.Open(q.Weights)
	if err != nil {
		return nil, nil, fault.Diagnostic(err, train.CodeCheckpoint, diag.Pos{})
	}
	defer f.Close()
	model, err := onnx.Export(m.Funcs[0], onnx.Options{Name: p.Name, Version: Version, Weights: func(name string, t ir.Type) ([]byte, error) {
		return f.Read(ir.Leaf{Name: name, Type: t})
	}})
	return model, warnings, cannotExport(err)
}

// inference finds the function that is exported.
func inference(s *Sources, q ONNXRequest) (*ir.Program, *ir.Func, diag.List, error) {
	batch := q.Batch
	if batch == 0 {
		batch = onnx.AnyBatch
	}
	p, warnings, err := loadPredictions(s, q.Source, batch)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(p.Predicts) == 0 && p.Train.Batch == 0 && q.Eval == "" {
		return forwardAlone(s, q, p.Name, batch)
	}
	chosen, err := choosePrediction(p, PredictRequest{Source: q.Source, Eval: q.Eval})
	if err != nil {
		return nil, nil, nil, err
	}
	return p, p.Module.Func(chosen.Funcs[chosen.Batch]), warnings, nil
}

// forwardAlone is a model's own fn, where no eval block says what is done around it.
func forwardAlone(s *Sources, q ONNXRequest, model string, batch int) (*ir.Program, *ir.Func, diag.List, error) {
	u := s.units[len(s.units)-1]
	p, list := lang.Forward(u, model, lang.Options{Params: q.Params, Batch: batch})
	if err := failure(list); err != nil {
		return nil, nil, nil, err
	}
	return p, p.Module.Funcs[0], list, nil
}

// cannotExport makes a diagnostic, at the op's place in the program where it has one.
func cannotExport(err error) error {
	var e *onnx.Error
	if !errors.As(err, &e) {
		if err != nil {
			return fault.Diagnostic(err, train.CodeCheckpoint, diag.Pos{})
		}
		return nil
	}
	d := &diag.Diagnostic{Code: CodeONNX, Msg: fmt.Sprintf("no ONNX for %s: %s", e.Op, e.Msg)}
	if e.Pos != nil {
		d.Pos = e.Pos.Pos
	}
	if strings.Contains(e.Msg, "open") {
		d.Fix = "--batch N, which settles the batch"
	}
	return d
}
