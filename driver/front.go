package driver

import (
	"fmt"
	"io"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
	"vitc/lang"
	"vitc/runtime/train"
)

// Source names a program on the command line.
type Source struct {
	File   string            // "-": the standard input
	Block  string            // the train block, "" where the file has but one
	Params map[string]string // the block's parameters that are given, as the language writes them
	Plan   string            // the plan block, "" for none
	// Devices is how many virtual devices the program is to run on: those of its plan, or, without
	// one, devices that share each batch. 0: what the plan says.
	Devices int
	// Ranks says that the devices are the processes of a job, one each.
	Ranks bool
	Stdin io.Reader

	planned bool // the target has many devices: without a name, the only plan is meant
}

// loadUnit reads a program and everything that it uses. The list holds what is wrong with
// the syntax.
func loadUnit(s *Sources, q Source) (*lang.Unit, diag.List, error) {
	text, err := s.Read(q.File, q.Stdin)
	if err != nil {
		return nil, nil, err
	}
	u, list := lang.Load(q.File, text, readFile)
	s.units = append(s.units, u)
	return u, list, nil
}

// Load reads, checks and lowers a program's train block; the list holds warnings. Evaluations
// are compiled for their last, smaller batch too where their data is here to be counted.
func Load(s *Sources, q Source) (*ir.Program, diag.List, error) {
	u, list, err := loadUnit(s, q)
	if err != nil {
		return nil, nil, err
	}
	if err := failure(list); err != nil {
		return nil, nil, err
	}
	block, err := chooseBlock(u, q)
	if err != nil {
		return nil, nil, err
	}
	o := lang.Options{Params: q.Params}
	if o.Plan, err = choosePlan(u, block, q); err != nil {
		return nil, nil, err
	}
	p, list, err := lower(u, block, o)
	if err != nil {
		return nil, nil, err
	}
	if o.EvalBatches = lastBatches(p); len(o.EvalBatches) > 0 {
		if p, list, err = lower(u, block, o); err != nil {
			return nil, nil, err
		}
	}
	more, err := onDevices(p, q)
	return p, append(list, more...), err
}

// lower lowers a train block for the plan of the options; the list holds warnings.
func lower(u *lang.Unit, block string, o lang.Options) (*ir.Program, diag.List, error) {
	p, list := lang.Lower(u, block, o)
	if err := failure(list); err != nil {
		return nil, nil, err
	}
	p.Plan = o.Plan
	return p, list, nil
}

// lastBatches gives each evaluation the further batch sizes it needs: that of its last,
// smaller batch where its data can be counted here; else single examples, of which a last
// batch of any size is made up.
func lastBatches(p *ir.Program) map[string][]int {
	sizes := map[string][]int{}
	for i := range p.Evals {
		e := &p.Evals[i]
		n, err := train.Examples(&e.Data)
		switch rest := n % e.Batch; {
		case err != nil && e.Batch > 1:
			sizes[e.Name] = []int{1}
		case err == nil && rest > 0:
			sizes[e.Name] = []int{rest}
		}
	}
	return sizes
}

// failure is the error of a list, nil where it holds none. A broken invariant of the front
// end is an internal error, not the program's.
func failure(list diag.List) error {
	if bug := internal(list); bug != nil {
		return bug
	}
	return list.Err()
}

func internal(list diag.List) error {
	for _, d := range list {
		if d.Code == CodeInternal {
			return &InternalError{Err: d}
		}
	}
	return nil
}

// chooseBlock finds the train block that is meant.
func chooseBlock(u *lang.Unit, q Source) (string, error) {
	names := u.Trains()
	switch {
	case len(names) == 0:
		return "", &diag.Diagnostic{Code: CodeTrain, Msg: "the program has no train block", Pos: diag.Pos{File: q.File},
			Fix: "add one: train NAME { ... }"}
	case q.Block == "" && len(names) == 1:
		return names[0], nil
	case q.Block == "":
		return "", &UsageError{&diag.Diagnostic{Code: CodeTrain, Msg: "the program has several train blocks", Pos: diag.Pos{File: q.File},
			Expected: "the name of one after the file: " + strings.Join(names, ", "), Fix: q.File + " " + names[0]}}
	}
	for _, name := range names {
		if name == q.Block {
			return name, nil
		}
	}
	return "", &UsageError{&diag.Diagnostic{Code: CodeTrain, Msg: fmt.Sprintf("the program has no train block %q", q.Block), Pos: diag.Pos{File: q.File},
		Expected: "one of " + strings.Join(names, ", "), Fix: diag.Nearest(q.Block, names)}}
}
