package lang

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar of declarations and members. Every struct is a production, its tags are
// participle's EBNF. Each is parsed alone, from the tokens of one item (see parser), and
// is LL(1): where a production fails, the token that it failed at is the one to report.
// Bodies in braces are the parser's business, expressions are those of expr.go.

type useItems struct {
	Tokens []lexer.Token
	Items  []*useItem `parser:"'use' @@ ( ',' @@ )*"`
}

type useItem struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"( @Ident"`
	File   *lexer.Token `parser:"| @String 'as'"`
	As     *lexer.Token `parser:"  @Ident )"`
}

type moduleHead struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"'module' @Ident"`
	Params *paramList   `parser:"@@"`
}

type fnHead struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"'fn' @Ident?"`
	Params *paramList   `parser:"@@"`
	Fields *paramList   `parser:"( '->' ( @@"`
	Result *typeName    `parser:"       | @@ ) )?"`
}

type hostHead struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"'host' @Ident"`
	Params *paramList   `parser:"@@"`
}

type modelItem struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"'model' @Ident '='"`
	Value  Expr         `parser:"@@"`
}

type configHead struct {
	Tokens []lexer.Token
	Kind   *lexer.Token `parser:"@( 'train' | 'eval' | 'data' | 'plan' | 'sweep' | 'import' )"`
	Name   *lexer.Token `parser:"@Ident"`
	Params *paramList   `parser:"@@?"`
	Link   *lexer.Token `parser:"( @( 'of' | 'for' )"`
	Target *dottedName  `parser:"  @@ )?"`
	Yields *paramList   `parser:"( '->' @@ )?"`
}

type dottedName struct {
	Tokens []lexer.Token
	Parts  []*namePart `parser:"@@ ( '.' @@ )*"`
}

type namePart struct {
	Name lexer.Token `parser:"@Ident"`
}

// The negative lookahead lets a list end with a comma.
type paramList struct {
	Tokens []lexer.Token
	List   []*param `parser:"'(' ( ')' | @@ ( (?! ',' ')' ) ',' @@ )* ','? ')' )"`
}

type param struct {
	Tokens  []lexer.Token
	Name    *lexer.Token `parser:"@Ident"`
	Type    *typeName    `parser:"( ':' @@ )?"`
	Default Expr         `parser:"( '=' @@ )?"`
}

type typeName struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"(   @( Ident | 'axis' | 'module' | 'fn' )"`
	Axes   *axisList    `parser:"    @@? | @@ )"`
}

type axisList struct {
	Tokens []lexer.Token
	List   []*typeAxis `parser:"'[' ( ']' | @@ ( (?! ',' ']' ) ',' @@ )* ','? ']' )"`
}

type typeAxis struct {
	Tokens []lexer.Token
	Rest   bool         `parser:"  @'...'"`
	Name   *lexer.Token `parser:"| ( (?= Ident ':' ) @Ident ':' )?"`
	Size   Expr         `parser:"  @@"`
}

type axisItem struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"'axis' @Ident '='"`
	Size   Expr         `parser:"@@"`
}

type storedItem struct {
	Tokens []lexer.Token
	Kind   *lexer.Token `parser:"@( 'param' | 'state' )"`
	Name   *lexer.Token `parser:"@Ident ':'"`
	Type   *typeName    `parser:"@@"`
	Init   Expr         `parser:"'=' @@"`
}

type requireItem struct {
	Tokens  []lexer.Token
	Cond    Expr         `parser:"'require' @@"`
	Message *lexer.Token `parser:"( (?= ',' String ) ',' @String )?"`
}

type letItem struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"'let' @Ident"`
	Type   *typeName    `parser:"( ':' @@ )?"`
	Value  Expr         `parser:"'=' @@"`
}

type settingItem struct {
	Tokens []lexer.Token
	Key    *lexer.Token `parser:"@Ident ':'"`
	Value  Expr         `parser:"@@"`
}

type entryItem struct {
	Tokens  []lexer.Token
	Pattern *lexer.Token `parser:"(  @String"`
	Path    *dottedName  `parser:" | @@ ) ':'"`
	Value   Expr         `parser:"@@"`
}

type updateItem struct {
	Tokens []lexer.Token
	Name   *lexer.Token `parser:"@Ident '<-'"`
	Value  Expr         `parser:"@@"`
}

type exprItem struct {
	Tokens []lexer.Token
	X      Expr `parser:"@@"`
}

// production lists them all, for participle to build its parser from.
type production struct {
	Use     *useItems    `parser:"  @@"`
	Module  *moduleHead  `parser:"| @@"`
	Fn      *fnHead      `parser:"| @@"`
	Host    *hostHead    `parser:"| @@"`
	Model   *modelItem   `parser:"| @@"`
	Config  *configHead  `parser:"| @@"`
	Axis    *axisItem    `parser:"| @@"`
	Stored  *storedItem  `parser:"| @@"`
	Require *requireItem `parser:"| @@"`
	Let     *letItem     `parser:"| @@"`
	Setting *settingItem `parser:"| @@"`
	Entry   *entryItem   `parser:"| @@"`
	Update  *updateItem  `parser:"| @@"`
	Expr    *exprItem    `parser:"| @@"`
}

// tokens adapts a slice of tokens to participle, which wants to lex for itself.
type tokens struct {
	list []lexer.Token
	next int
}

// Next returns the next token, at the end the last one again and again.
func (t *tokens) Next() (lexer.Token, error) {
	tok := t.list[t.next]
	t.next = min(t.next+1, len(t.list)-1)
	return tok, nil
}

// definition tells participle the names of the kinds of token.
type definition struct{ lexer.Definition }

// Symbols returns the kinds by name.
func (definition) Symbols() map[string]lexer.TokenType { return symbols }

var grammar = participle.MustBuild[production](
	participle.Lexer(definition{}),
	participle.UseLookahead(0),
	participle.ParseTypeWith(parseExpr),
)

// parseItem parses one production from an item's tokens, of which the last is the one
// behind the item. It returns what it understood, and how many tokens that was.
func parseItem[P any](item []lexer.Token) (*P, int, error) {
	lex, err := lexer.Upgrade(&tokens{list: item})
	if err != nil {
		return nil, 0, err
	}
	production, err := participle.ParserForProduction[P](grammar)
	if err != nil {
		return nil, 0, err
	}
	v, err := production.ParseFromLexer(lex, participle.AllowTrailing(true))
	return v, lex.Cursor(), err
}
