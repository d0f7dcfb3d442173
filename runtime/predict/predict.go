// Package predict runs the prediction of a program over pictures and tensors: any number of
// them, in batches, in the order given.
package predict

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"vitc/codegen"
	"vitc/ir"
	"vitc/ir/diag"
	"vitc/runtime/data"
	"vitc/runtime/fault"
	"vitc/runtime/leaves"
	"vitc/runtime/train"
)

// Predictor makes predictions on a machine. It belongs to one goroutine.
type Predictor struct {
	p     *ir.Program
	q     *ir.Predict
	prep  *data.Preparer
	field data.Field
	sizes []int // of batches that functions were compiled for, ascending
}

// Row is the prediction of one input.
type Row struct {
	Name    string
	Outputs []codegen.Result // in the order of the program, without the batch
}

// Open checks what a prediction declares. The error is a diagnostic.
func Open(p *ir.Program, q *ir.Predict) (*Predictor, error) {
	prep, err := train.Preparer(&q.Data)
	if err != nil {
		return nil, err
	}
	r := &Predictor{p: p, q: q, prep: prep, field: prep.Field()}
	for n := range q.Funcs {
		r.sizes = append(r.sizes, n)
	}
	slices.Sort(r.sizes)
	for _, n := range r.sizes {
		for _, port := range p.Module.Func(q.Funcs[n]).Args {
			if port.Role == ir.RoleInput && port.Name != r.field.Name {
				return nil, &diag.Diagnostic{Code: train.CodeData, Msg: fmt.Sprintf("eval %s predicts from %s, which files do not give", q.Name, port.Name), Pos: q.Pos,
					Expected: "pictures alone: the field " + r.field.Name}
			}
		}
	}
	return r, nil
}

// Trim drops from a program that is still to be compiled what n inputs do not use.
func (r *Predictor) Trim(n int) {
	most := r.sizes[len(r.sizes)-1]
	used := map[int]bool{most: n >= most}
	for rest := n % most; rest > 0; rest -= min(rest, r.batch(rest)) {
		used[r.batch(rest)] = true
	}
	r.sizes = slices.DeleteFunc(r.sizes, func(size int) bool { return !used[size] })
	r.p.Module.Funcs = slices.DeleteFunc(r.p.Module.Funcs, func(f *ir.Func) bool {
		return !slices.ContainsFunc(r.sizes, func(size int) bool { return r.q.Funcs[size] == f.Name })
	})
}

// Outputs are the types of what is predicted for one input, with their names.
func (r *Predictor) Outputs() []codegen.Result {
	f := r.p.Module.Func(r.q.Funcs[r.sizes[0]])
	list := make([]codegen.Result, len(f.Results))
	for i, port := range f.Results {
		list[i] = codegen.Result{Name: port.Name, Type: ofOne(f.Body.Yield[i].Type)}
	}
	return list
}

func ofOne(t ir.Type) ir.Type { return ir.Type{DType: t.DType, Dims: t.Dims[1:]} }

// Load gives the machine its state: what the functions read, from the file of weights.
func (r *Predictor) Load(m codegen.Machine, f *leaves.File) error {
	read := map[string]bool{}
	for _, port := range r.p.Module.Func(r.q.Funcs[r.sizes[0]]).Args {
		read[port.Name] = port.Role == ir.RoleState
	}
	for _, leaf := range r.p.State {
		if !read[leaf.Name] {
			continue
		}
		bytes, err := f.Read(leaf)
		if err != nil {
			return fault.Diagnostic(err, train.CodeCheckpoint, diag.Pos{})
		}
		if err := m.SetLeaf(leaf.Name, bytes); err != nil {
			return &diag.Diagnostic{Code: train.CodeMachine, Msg: fmt.Sprintf("cannot set %s: %v", leaf.Name, err)}
		}
	}
	return nil
}

// Run predicts all inputs and hands out the rows in order. An input that cannot be read is left
// out, its diagnostic in the list; an error ends the run.
func (r *Predictor) Run(ctx context.Context, m codegen.Machine, inputs []Input, row func(Row) error) (diag.List, error) {
	var failed diag.List
	size := r.sizes[len(r.sizes)-1]
	for chunk := range slices.Chunk(inputs, size) {
		if ctx.Err() != nil {
			return failed, context.Cause(ctx)
		}
		names, examples, bad := r.read(chunk)
		failed = append(failed, bad...)
		if err := r.predict(ctx, m, names, examples, row); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// read prepares inputs on all cores and packs those that could be read.
func (r *Predictor) read(inputs []Input) (names []string, packed []byte, failed diag.List) {
	bytes := r.field.Bytes()
	buffer := make([]byte, len(inputs)*bytes)
	errs := make([]error, len(inputs))
	var group sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(inputs)) {
		group.Go(func() {
			for i := range next {
				errs[i] = inputs[i].read(r.prep, buffer[i*bytes:(i+1)*bytes])
			}
		})
	}
	for i := range inputs {
		next <- i
	}
	close(next)
	group.Wait()
	for i, err := range errs {
		if err != nil {
			failed = append(failed, fault.Diagnostic(err, train.CodeData, diag.Pos{}))
			continue
		}
		names = append(names, inputs[i].Name)
		packed = append(packed, buffer[i*bytes:(i+1)*bytes]...)
	}
	return names, packed, failed
}

// predict runs examples through the compiled batches.
func (r *Predictor) predict(ctx context.Context, m codegen.Machine, names []string, examples []byte, row func(Row) error) error {
	bytes := r.field.Bytes()
	for at := 0; at < len(names); {
		size := r.batch(len(names) - at)
		n := min(size, len(names)-at)
		in := make([]byte, size*bytes) // what no example fills is black, and its row is dropped
		copy(in, examples[at*bytes:(at+n)*bytes])
		fn := r.q.Funcs[size]
		results, err := m.Call(ctx, fn, map[string][]byte{r.field.Name: in})
		if err != nil {
			return &diag.Diagnostic{Code: train.CodeMachine, Msg: fmt.Sprintf("cannot run %s: %v", fn, err)}
		}
		for i := range n {
			if err := row(Row{names[at+i], rowOf(results, i)}); err != nil {
				return err
			}
		}
		at += n
	}
	return nil
}

// batch chooses among the compiled sizes for n examples: as many as fit, unless filling up a
// larger batch costs less than four times as much as is needed.
func (r *Predictor) batch(n int) int {
	for _, size := range r.sizes {
		if size >= n && size < 4*n {
			return size
		}
	}
	for _, size := range slices.Backward(r.sizes) {
		if size <= n {
			return size
		}
	}
	return r.sizes[0]
}

// rowOf cuts one example out of a batch's results.
func rowOf(results []codegen.Result, i int) []codegen.Result {
	out := make([]codegen.Result, len(results))
	for k, res := range results {
		n := len(res.Data) / res.Type.Dims[0].Size
		out[k] = codegen.Result{Name: res.Name, Type: ofOne(res.Type), Data: res.Data[i*n : (i+1)*n : (i+1)*n]}
	}
	return out
}
