// Package interp runs the IR as it stands, in any phase: it is the reference that passes and
// code generators are tested against. It is generic over the op table: pointwise rows run their
// scalar body, the others the loop nest of their rule.
//
// Values are carried as float64, in which those of every dtype are exact, and are rounded to
// their dtype after each op. Sums accumulate in float64 and round once.
package interp

import (
	"context"
	"fmt"

	"vitc/ir"
)

// Tensor is a value: F holds its elements row-major. Nobody writes in a tensor once it is
// made, so results may share memory with arguments.
type Tensor struct {
	Type ir.Type
	F    []float64
}

// New is a tensor of zeros.
func New(t ir.Type) *Tensor { return &Tensor{t, make([]float64, t.Size())} }

// Options choose how numbers behave.
type Options struct {
	// Exact leaves floating values unrounded, in float64: for finite differences. Integers
	// wrap all the same.
	Exact bool
}

// Run evaluates a function, which must have passed the verifier. Arguments are rounded to
// their dtypes first. It fails on arguments that do not fit and on grad, which autodiff must
// have removed.
func Run(f *ir.Func, args []*Tensor, o Options) ([]*Tensor, error) {
	p, err := Prepare(f, o)
	if err != nil {
		return nil, err
	}
	if err := p.check(args); err != nil {
		return nil, err
	}
	rounded := make([]*Tensor, len(args))
	for i, a := range args {
		rounded[i] = &Tensor{f.Body.Params[i].Type, append([]float64(nil), a.F...)}
		p.numbers.settle(a.Type.DType, a.Type.DType, rounded[i].F)
	}
	return p.Run(context.Background(), rounded)
}

// Plan is a function made ready to run many times.
type Plan struct {
	f       *ir.Func
	body    *region
	numbers numbers
}

// Prepare works out everything about a function that does not depend on values.
func Prepare(f *ir.Func, o Options) (*Plan, error) {
	p := &Plan{f: f, numbers: numbers{exact: o.Exact, real: ir.F32}}
	if f.Precision.Float() {
		p.numbers.real = f.Precision
	}
	body, err := p.numbers.region(f.Body)
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", f.Name, err)
	}
	p.body = body
	return p, nil
}

// Run evaluates the function on arguments that are exact in their dtypes. It stops between two
// ops when the context is done.
func (p *Plan) Run(ctx context.Context, args []*Tensor) ([]*Tensor, error) {
	if err := p.check(args); err != nil {
		return nil, err
	}
	out, _, err := p.body.run(ctx, args)
	if err != nil {
		return nil, fmt.Errorf("@%s: %w", p.f.Name, err)
	}
	return out, nil
}

func (p *Plan) check(args []*Tensor) error {
	f := p.f
	if len(args) != len(f.Body.Params) {
		return fmt.Errorf("@%s takes %d arguments, found %d", f.Name, len(f.Body.Params), len(args))
	}
	for i, a := range args {
		want := f.Body.Params[i]
		switch {
		case a == nil:
			return fmt.Errorf("@%s: argument %d (%s) is missing", f.Name, i+1, f.Args[i].Name)
		case !a.Type.Same(want.Type):
			return fmt.Errorf("@%s: argument %d (%s) is %s, expected %s", f.Name, i+1, f.Args[i].Name, a.Type, want.Type)
		case len(a.F) != a.Type.Size():
			return fmt.Errorf("@%s: argument %d (%s) has %d elements, %s needs %d", f.Name, i+1, f.Args[i].Name, len(a.F), a.Type, a.Type.Size())
		}
	}
	return nil
}
