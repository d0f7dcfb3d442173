// Package hlo reads the scheduled programs that XLA's compilers give back: HloModuleProto, or
// HloModuleProtoWithConfig around one. It reads what a person wants to know of a program (what
// runs when, on how many bytes, estimated to take how long, from which line) and no more; the
// numbers of fields are those of xla/service/hlo.proto and xla/xla_data.proto.
package hlo

// Module is a scheduled program.
type Module struct {
	Name    string
	Entry   *Computation
	Devices []int // of partition i of the only replica; nil where the program does not say
	// Computations are in the file's order: what is called stands before its caller.
	Computations []*Computation
	Aliases      []Alias
}

// Alias says that a result of the entry lies in a parameter's buffer.
type Alias struct {
	Output    []int // index into the tuple of results
	Parameter int
}

// Computation is a sequence of instructions in the order in which they run.
type Computation struct {
	Name         string
	Instructions []*Instruction
	Root         *Instruction
}

// Instruction is one operation. Slices that it has no use for are nil.
type Instruction struct {
	Name, Opcode string
	Shape        Shape
	Operands     []*Instruction
	Called       []*Computation // a fusion's body; a while's body, then its condition
	Parameter    int            // of a parameter: which one
	TupleIndex   int            // of a get-tuple-element
	Constant     *int64         // of a scalar integer constant
	CustomTarget string         // of a custom-call
	Groups       *Groups        // of a collective
	Pairs        [][2]int       // of a collective-permute: source and target partitions
	Config       Config
	Source       Source
}

// Config is what the compiler noted for its own later stages.
type Config struct {
	Cycles    float64 // estimated; negative where there is no estimate
	TripCount int     // of a while, 0 where it is not known
	Emitter   string  // the algorithm of a collective
	Strategy  string  // its parameters, as text
}

// Source is where an instruction came from.
type Source struct {
	Op   string // the path of the operation in the program that was compiled
	File string
	Line int // 0: not known
}

// Is reports whether the opcode is one of some.
func (i *Instruction) Is(opcodes ...string) bool {
	for _, o := range opcodes {
		if i.Opcode == o {
			return true
		}
	}
	return false
}

// Body is what a fusion, call or asynchronous start runs, a while's body; nil for others.
func (i *Instruction) Body() *Computation {
	if len(i.Called) == 0 || !i.Is("fusion", "call", "async-start", "while") {
		return nil
	}
	return i.Called[0]
}

// Trips is how many times the body of a while runs: what the compiler knows, or the largest
// constant that its condition compares with, or once.
func (i *Instruction) Trips() int {
	if i.Config.TripCount > 0 {
		return i.Config.TripCount
	}
	if len(i.Called) < 2 {
		return 1
	}
	most := int64(1)
	look := func(c *Computation) {
		for _, x := range c.Instructions {
			if x.Constant != nil {
				most = max(most, *x.Constant)
			}
		}
	}
	condition := i.Called[1]
	look(condition)
	for _, x := range condition.Instructions {
		if body := x.Body(); body != nil {
			look(body)
		}
	}
	return int(most)
}
