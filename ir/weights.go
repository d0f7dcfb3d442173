package ir

import "vitc/ir/diag"

// Weights are values that come from files: what an `import` block and the lines of a `start` table
// lower to. They are expressions over tensors of files whose axes are known by name; sizes that the
// program does not give come from the file. The runtime evaluates them on the host, so that every
// target begins with the same bits.

// Start is what a run takes from files before its first step.
type Start struct {
	Dir   string       `json:"dir"` // folder of the .vit file: relative paths start there
	Fills []Fill       `json:"fills"`
	Files []ImportFile `json:"files,omitempty"` // those whose every tensor must be accounted for
}

// ImportFile is a file that an import block reads.
type ImportFile struct {
	File   string   `json:"file"`
	Spare  []string `json:"spare,omitempty"`  // tensors that lines of the block would read for leaves which begin otherwise
	Unused []string `json:"unused,omitempty"` // patterns of tensors that no model needs
	Pos    diag.Pos `json:"-"`
}

// Import is an import block applied to one model: where each of its leaves lies in a file.
type Import struct {
	Name   string   // of the block
	Root   string   // path of the model
	Fills  []Fill   // one for each leaf of the model, in order
	Init   *Func    // init(seed u32[2]) -> the leaves that a way may leave to their initialisers; nil: none
	Unused []string // patterns of tensors that no model needs
	Pos    diag.Pos
}

// Fill is the first value of a leaf: what the first of its ways gives that fits the file.
type Fill struct {
	Leaf string   `json:"leaf"`
	Type Type     `json:"type"`
	Ways []Way    `json:"ways"`
	Pos  diag.Pos `json:"-"` // of the leaf
}

// Way is one way to a leaf's value. Where Turns are not empty the value is put together of one for
// each of their turns, in row-major order, and load names a tensor for each.
//
// A way without Value leaves the leaf to its initialiser: the file need not have it.
type Way struct {
	Turns []Dim    `json:"turns,omitempty"`
	Value *Weight  `json:"value,omitempty"`
	Pos   diag.Pos `json:"-"` // of the line
}

// Walk calls each with every node of the way's expression, operands first.
func (w Way) Walk(each func(*Weight)) {
	if w.Value != nil {
		w.Value.Walk(each)
	}
}

// WeightOp says what a Weight computes.
type WeightOp string

// The operations on weights. All arithmetic is in f32.
const (
	WeightLoad   WeightOp = "load"   // Names, one for each turn, of File; Dims are the tensor's
	WeightNumber WeightOp = "number" // Number
	WeightIndex  WeightOp = "index"  // position From of Axis, which goes
	WeightSlice  WeightOp = "slice"  // positions [From, To) of Axis; To 0: to its end
	WeightRename WeightOp = "rename" // Axis becomes Axes[0]
	WeightSplit  WeightOp = "split"  // Axis becomes Axes, outermost first
	WeightMerge  WeightOp = "merge"  // Axes, outermost first, become Axis
	WeightResize WeightOp = "resize" // along Axes, to their sizes, by Filter
	WeightSum    WeightOp = "sum"    // over Axes
	WeightMean   WeightOp = "mean"
	WeightAdd    WeightOp = "add" // of two; axes of one may lack in the other
	WeightSub    WeightOp = "sub"
	WeightMul    WeightOp = "mul"
	WeightDiv    WeightOp = "div"
)

// Weight is an expression of tensors in files. A dim of Dims holds the axes listed, outermost first;
// none is a dim of one element. A size of 0 is the file's to say.
type Weight struct {
	Op     WeightOp  `json:"op"`
	In     []*Weight `json:"in,omitempty"`
	File   string    `json:"file,omitempty"` // "": the file that is imported
	Names  []string  `json:"names,omitempty"`
	Dims   [][]Dim   `json:"dims,omitempty"`
	Axis   string    `json:"axis,omitempty"`
	From   int       `json:"from,omitempty"`
	To     int       `json:"to,omitempty"`
	Axes   []Dim     `json:"axes,omitempty"`
	Like   []int     `json:"like,omitempty"` // of a split whose sizes the file says: the model's, taken where they come out
	Number float64   `json:"number,omitempty"`
	Filter *Filter   `json:"filter,omitempty"` // of a resize
	Pos    diag.Pos  `json:"-"`
}

// Walk calls each with every node of the expression, operands first.
func (w *Weight) Walk(each func(*Weight)) {
	for _, in := range w.In {
		in.Walk(each)
	}
	each(w)
}
