// Package lang reads .vit files: it parses, formats, checks and lowers them to the IR.
package lang

import (
	"strings"

	"vitc/ir/diag"
)

// Node is anything that stands in a source file. Pos spans the node's tokens on its
// first line, so that carets can be drawn under them.
type Node interface {
	Pos() diag.Pos
}

// Span is embedded in every node and remembers its place.
type Span struct{ At diag.Pos }

// Pos returns the node's place.
func (s Span) Pos() diag.Pos { return s.At }

// cover moves the node to p: an expression in parentheses takes their place.
func (s *Span) cover(p diag.Pos) { s.At = p }

// File is one parsed .vit file. After errors it holds what could be understood.
type File struct {
	Span
	Name    string // as given to Parse
	Edition int    // 0: missing or unknown
	Decls   []Decl
}

// Ident is a name where it is declared or mentioned.
type Ident struct {
	Span
	Name string
}

// Path is a dotted name, such as params.width.
type Path struct {
	Span
	Parts []Ident
}

// String returns the path as written, without blanks.
func (p *Path) String() string {
	names := make([]string, len(p.Parts))
	for i, part := range p.Parts {
		names[i] = part.Name
	}
	return strings.Join(names, ".")
}

// Decl is a top-level declaration: *Use, *Module, *Fn, *Let, *Host, *Model or *Config.
type Decl interface {
	Node
	decl()
}

// Use imports other files: use vit, "big.vit" as big.
type Use struct {
	Span
	Items []*UseItem
}

// UseItem is one file of a Use. Name is how the file is called here; File is the
// string's text for a file of the user's, "" for a library file of that Name.
type UseItem struct {
	Span
	Name Ident
	File string
	// FilePos is the string's place; not valid for a library file.
	FilePos diag.Pos
}

// Module is a module declaration.
type Module struct {
	Span
	Doc    []string
	Name   Ident
	Params *Params
	Body   []Member
}

// Fn is a function: a declaration, or a member of a module or block. A member without
// a name is what calling the instance means. At most one of Result and Fields is set.
type Fn struct {
	Span
	Doc    []string
	Name   *Ident // nil: unnamed
	Params *Params
	Result *Type   // -> f32[batch]
	Fields *Params // -> (image: f32[...], label: i32[])
	Body   []Stmt
	End    diag.Pos // its closing brace
}

// Let names a value: a declaration, a member or a statement.
type Let struct {
	Span
	Doc   []string
	Name  Ident
	Type  *Type // nil: none
	Value Expr
}

// Host declares a function that the runtime implements.
type Host struct {
	Span
	Doc    []string
	Name   Ident
	Params *Params
}

// Model names a recipe: model b16 = vit.ViT(...).
type Model struct {
	Span
	Doc   []string
	Name  Ident
	Value Expr
}

// Kind is the word that begins a block.
type Kind string

// The kinds of block.
const (
	Train  Kind = "train"
	Eval   Kind = "eval"
	Data   Kind = "data"
	Plan   Kind = "plan"
	Sweep  Kind = "sweep"
	Import Kind = "import"
)

// Config is a block. Which members it may have depends on its kind; the grammar admits
// all of them in all blocks.
type Config struct {
	Span
	Doc    []string
	Kind   Kind
	Name   Ident
	Params *Params // nil: none
	Link   string  // "of" or "for", "" without target
	Target *Path   // what it is of or for, nil: nothing
	Yields *Params // the fields of a data block, nil: none
	Body   []Member
}

// Member is a part of a module or block: *AxisDecl, *Stored, *Require, *Fn, *Let,
// *Setting or *Entry.
type Member interface {
	Node
	member()
}

// AxisDecl makes an axis: axis head = width / heads. Also a statement.
type AxisDecl struct {
	Span
	Doc  []string
	Name Ident
	Size Expr
}

// Stored is a param or a state member.
type Stored struct {
	Span
	Doc   []string
	State bool // state, else param
	Name  Ident
	Type  *Type
	Init  Expr
}

// Word returns "param" or "state".
func (s *Stored) Word() string {
	if s.State {
		return "state"
	}
	return "param"
}

// Require is a user's own compile-time error. Also a statement.
type Require struct {
	Span
	Doc     []string
	Cond    Expr
	Message *String // nil: none
}

// Setting is key: value, or key { entries }. Table is not nil, if perhaps empty, for
// the second form, and Value is nil then.
type Setting struct {
	Span
	Doc   []string
	Key   Ident
	Value Expr
	Table []*Entry
}

// Entry is one line of a table or of an import: "net.head.w": value, or params.width:
// value. Exactly one of Pattern and Path is set.
type Entry struct {
	Span
	Doc     []string
	Pattern *String
	Path    *Path
	Value   Expr
}

// Key returns the entry's key as text: the string's or the path's.
func (e *Entry) Key() string {
	if e.Pattern != nil {
		return e.Pattern.Raw()
	}
	return e.Path.String()
}

// KeyPos returns the place of the entry's key.
func (e *Entry) KeyPos() diag.Pos {
	if e.Pattern != nil {
		return e.Pattern.At
	}
	return e.Path.At
}

// Params is a parenthesised list of parameters or of fields.
type Params struct {
	Span
	List []*Param
}

// Param is a parameter or a field.
type Param struct {
	Span
	Name    Ident
	Type    *Type // nil: none
	Default Expr  // nil: none
}

// Type is a dtype or kind with or without axes: f32[batch, row: 28], axis, [...].
type Type struct {
	Span
	Name   string // "": left out
	Axes   []*TypeAxis
	Tensor bool // axes are written, even if none: f32[]
}

// TypeAxis is one item of a type's axes.
//
//	...            Rest
//	width          Name
//	row: 28        Name, Size
//	row: _         Name, Size (the Name "_")
//	without(s, a)  Size
type TypeAxis struct {
	Span
	Rest bool
	Name *Ident
	Size Expr
}

// Stmt is a statement: *Let, *AxisDecl, *Require, *Update or *ExprStmt.
type Stmt interface {
	Node
	stmt()
}

// Update gives a state its new value: avg <- e.
type Update struct {
	Span
	Name  Ident
	Value Expr
}

// ExprStmt is an expression as a statement; the last one is a function's result.
type ExprStmt struct {
	Span
	X Expr
}

// Expr is an expression: *Number, *String, *Bool, *Name, *List, *Tuple, *Call, *Index,
// *Field, *Unary, *Binary, *Cond, *With, *Repeat, *For or *Bad.
type Expr interface {
	Node
	cover(diag.Pos)
	expr()
}

// Bad stands where an expression could not be parsed; its error has been reported.
type Bad struct{ Span }

// Number is a numeric literal.
type Number struct {
	Span
	Value float64
	IsInt bool   // written without point and exponent, or whole by its suffix (1.5k)
	Text  string // as written
}

// String is a string literal in pieces.
type String struct {
	Span
	Pieces []Piece
}

// Piece is a run of text with escapes resolved, or an interpolated name.
type Piece struct {
	Text string
	Name *Ident // nil: text
}

// Raw returns the text with names in braces: "train-{split}".
func (s *String) Raw() string {
	var b strings.Builder
	for _, p := range s.Pieces {
		if p.Name != nil {
			b.WriteString("{" + p.Name.Name + "}")
			continue
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// Plain returns the text and true if nothing is interpolated.
func (s *String) Plain() (string, bool) {
	for _, p := range s.Pieces {
		if p.Name != nil {
			return "", false
		}
	}
	return s.Raw(), true
}

// Bool is true or false.
type Bool struct {
	Span
	Value bool
}

// Name is a mention of something by its name.
type Name struct {
	Span
	Name string
}

// List is [a, b].
type List struct {
	Span
	Items []Expr
}

// Tuple is (), (a, b) or a record (a: 1, b: 2). One expression in parentheses is that
// expression itself.
type Tuple struct {
	Span
	Args []*Arg
}

// IsRecord reports whether the tuple has a named or spread item.
func (t *Tuple) IsRecord() bool {
	for _, a := range t.Args {
		if a.Name != nil || a.Spread {
			return true
		}
	}
	return false
}

// Arg is an argument or an item of a tuple: e, name: e, or ...e.
type Arg struct {
	Span
	Spread bool
	Name   *Ident // nil: by position
	Value  Expr
}

// Call is f(args).
type Call struct {
	Span
	Fn   Expr
	Args []*Arg
}

// Index is x[seq: 0, key: 1..] or list[0].
type Index struct {
	Span
	X     Expr
	Items []*IndexItem
}

// IndexItem is one item of an Index: an index, or a range when Range is set.
type IndexItem struct {
	Span
	Axis  *Ident // nil: none
	From  Expr
	Range bool
	To    Expr // nil: to the end
}

// Field is x.name.
type Field struct {
	Span
	X    Expr
	Name Ident
}

// Unary is -x or not x.
type Unary struct {
	Span
	Op string
	X  Expr
}

// Binary is an operation on two operands; OpPos is the operator's place.
type Binary struct {
	Span
	Op    string
	OpPos diag.Pos
	X, Y  Expr
}

// Cond is Then if Cond else Else.
type Cond struct {
	Span
	Then, Cond, Else Expr
}

// With renames, splits or merges axes: x with row as (gy, py).
type With struct {
	Span
	X        Expr
	From, To *Pattern
}

// Pattern is one side of a With: one axis, or several in parentheses.
type Pattern struct {
	Span
	Axes []*NamedAxis
}

// NamedAxis is an axis of a pattern; Size is nil where none is given.
type NamedAxis struct {
	Span
	Name Ident
	Size Expr
}

// Repeat is repeat layer as i { body }.
type Repeat struct {
	Span
	Axis  Ident
	Index *Ident // nil: none
	Body  Expr
}

// For is for i, n in list { body }.
type For struct {
	Span
	Index *Ident // nil: none
	Name  Ident
	In    Expr
	Body  Expr
}

func (*Use) decl()    {}
func (*Module) decl() {}
func (*Fn) decl()     {}
func (*Let) decl()    {}
func (*Host) decl()   {}
func (*Model) decl()  {}
func (*Config) decl() {}

func (*AxisDecl) member() {}
func (*Stored) member()   {}
func (*Require) member()  {}
func (*Fn) member()       {}
func (*Let) member()      {}
func (*Setting) member()  {}
func (*Entry) member()    {}

func (*Let) stmt()      {}
func (*AxisDecl) stmt() {}
func (*Require) stmt()  {}
func (*Update) stmt()   {}
func (*ExprStmt) stmt() {}

func (*Bad) expr()    {}
func (*Number) expr() {}
func (*String) expr() {}
func (*Bool) expr()   {}
func (*Name) expr()   {}
func (*List) expr()   {}
func (*Tuple) expr()  {}
func (*Call) expr()   {}
func (*Index) expr()  {}
func (*Field) expr()  {}
func (*Unary) expr()  {}
func (*Binary) expr() {}
func (*Cond) expr()   {}
func (*With) expr()   {}
func (*Repeat) expr() {}
func (*For) expr()    {}
