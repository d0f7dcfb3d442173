package ir

import (
	"slices"

	"vitc/ir/diag"
)

// Program is what one train block lowers to: functions over one state tree, and beside them
// everything the runtime must know that is no computation. It is the front end's whole
// result and, but for the module, the manifest of a bundle (hence the JSON tags).
//
// Functions, where they exist:
//
//	init(seed u32[2]) -> state..
//	step(state.., inputs.., steps f32[]) -> (state.., metrics..)    donates its state
//	eval.NAME(state.., acc.., inputs..) -> acc..                    one per batch size, see Eval
//	eval.NAME.init() -> acc..
//	eval.NAME.result(state.., acc..) -> metrics..
//	eval.NAME.predict(state.., inputs..) -> outputs..               one per batch size, see Predict
type Program struct {
	Module   *Module           `json:"-"`
	Name     string            `json:"name"` // of the train block
	State    []Leaf            `json:"state"`
	Train    Train             `json:"train"`
	Evals    []Eval            `json:"evals,omitempty"`
	Start    *Start            `json:"start,omitempty"` // what the first step begins with, where it comes from files
	Predicts []Predict         `json:"predicts,omitempty"`
	Plans    []Plan            `json:"plans,omitempty"` // every plan block for the train block, in order
	Plan     string            `json:"plan,omitempty"`  // the one that the program is compiled for; "": for one device
	Sources  map[string]string `json:"sources"`         // every .vit file used: name to sha256
}

// Leaf is one leaf of the state tree.
type Leaf struct {
	Name string   `json:"name"` // net.block.up.w, opt.net.block.up.w.m, t, seed
	Kind LeafKind `json:"kind"`
	Type Type     `json:"type"`
	Pos  diag.Pos `json:"-"`
}

// LeafKind says what a leaf is for.
type LeafKind string

// The kinds of leaves.
const (
	LeafParam   LeafKind = "param"   // trained
	LeafModel   LeafKind = "model"   // a model's own state: running averages
	LeafOpt     LeafKind = "opt"     // optimizer state
	LeafEMA     LeafKind = "ema"     // averaged parameters
	LeafCounter LeafKind = "counter" // t: i32[], steps done; seed: u32[2]
)

// Train holds the settings of a train block that the runtime reads.
type Train struct {
	Data      Data     `json:"data"`
	Batch     int      `json:"batch"`
	Steps     int      `json:"steps,omitempty"`  // 0: by Epochs
	Epochs    float64  `json:"epochs,omitempty"` // floor(epochs · examples / batch) steps
	Seed      uint64   `json:"seed"`
	Precision string   `json:"precision"`
	Metrics   []string `json:"metrics"` // of step, in order: loss, rate, ...
	Pos       diag.Pos `json:"-"`
}

// Eval is one evaluation. Funcs names the function compiled for each batch size: always Batch,
// and the sizes that a last, smaller batch may need.
type Eval struct {
	Name    string         `json:"name"`
	Data    Data           `json:"data"`
	Batch   int            `json:"batch"`
	Every   int            `json:"every,omitempty"` // steps between evaluations; 0: at the end
	Funcs   map[int]string `json:"funcs"`
	Acc     []Leaf         `json:"acc"`
	Metrics []string       `json:"metrics"` // of result, in order: top1, ece
	Pos     diag.Pos       `json:"-"`
}

// Predict is the `fn predict` of an eval block: a batch of its data's fields to outputs, each of
// which has the batch as its first dim. Funcs names the function compiled for each batch size.
type Predict struct {
	Name  string         `json:"name"` // of the eval block
	Data  Data           `json:"data"` // its source is not read, and may be missing
	Batch int            `json:"batch"`
	Funcs map[int]string `json:"funcs"`
	Pos   diag.Pos       `json:"-"`
}

// DropPredictions removes what only predictions need.
func (p *Program) DropPredictions() {
	for _, q := range p.Predicts {
		for _, name := range q.Funcs {
			p.Module.Funcs = slices.DeleteFunc(p.Module.Funcs, func(f *Func) bool { return f.Name == name })
		}
	}
	p.Predicts = nil
}

// Data is a data block with its parameters given: where examples come from, what is done to
// them on the host, and the fields they have.
type Data struct {
	Name    string   `json:"name"`
	Source  Call     `json:"source"`
	Stages  []Call   `json:"stages,omitempty"`
	Shuffle string   `json:"shuffle"` // none, all, or a buffer's size in examples
	Fields  []Field  `json:"fields"`
	Dir     string   `json:"dir"` // folder of the .vit file: relative paths start there
	Pos     diag.Pos `json:"-"`
}

// Call is a host function with its arguments, in the order written.
type Call struct {
	Name string   `json:"name"`
	Args []Arg    `json:"args,omitempty"`
	Pos  diag.Pos `json:"-"`
}

// Arg is one argument; Name is empty for a positional one. Value is a string, float64, bool or
// a list of those.
type Arg struct {
	Name  string `json:"name,omitempty"`
	Value any    `json:"value"`
}

// Field is one field of an example: its type without the batch.
type Field struct {
	Name string   `json:"name"`
	Type Type     `json:"type"`
	Pos  diag.Pos `json:"-"`
}
