package driver

import (
	"context"
	"io"
	"os"

	"vitc/bench"
	"vitc/codegen"
	"vitc/ir"
	"vitc/lang"
)

// Bench measures the peers' model as their harness asks for it, and writes what that reads.
// Only the native target is measured.
func Bench(ctx context.Context, a bench.Args, in io.Reader, out io.Writer) error {
	if err := a.Check(); err != nil {
		return usagef(CodeValue, "", "%v", err)
	}
	t, _, err := ChooseTarget(nativeTarget)
	if err != nil {
		return err
	}
	if err := bench.Pin(a.Threads, a.Cpus); err != nil {
		return usagef(CodeValue, "", "%v", err)
	}
	open := func(c bench.Config) (codegen.Machine, *ir.Program, error) {
		p, err := benchProgram(c, a)
		if err != nil {
			return nil, nil, err
		}
		o := MachineOptions{Threads: a.Threads}
		built, err := Build(ctx, p, t, o)
		if err != nil {
			return nil, nil, err
		}
		m, err := built.Open(o)
		return m, p, err
	}
	return bench.Run(ctx, a, open, ReadVersion().Version, in, out)
}

// benchProgram lowers the peers' program at one size.
func benchProgram(c bench.Config, a bench.Args) (*ir.Program, error) {
	u, list := lang.Load("peer.vit", bench.Source, func(string) ([]byte, error) { return nil, os.ErrNotExist })
	if err := failure(list); err != nil {
		return nil, err
	}
	p, list := lang.Lower(u, "peer", lang.Options{Params: c.Params(a.Batch), Precision: a.Dtype})
	return p, failure(list)
}
