package lang

// Codes of the diagnostics of the syntax. The checker's begin at V0200.
const (
	codeSource   = "V0100" // not text that can be read: too large, not UTF-8
	codeExpected = "V0101" // something else was expected here
	codeLine     = "V0102" // a line begins with what should end the line above
	codeChar     = "V0103" // a character that begins no token
	codeString   = "V0104" // a string literal is malformed
	codeNumber   = "V0105" // a number literal is malformed
	codeBracket  = "V0106" // a bracket is not closed, or not opened
	codeDepth    = "V0107" // nested too deeply, or a chain too long
	codeEdition  = "V0108" // the edition is missing or unknown
	codeDecl     = "V0109" // a word that begins no declaration or member
	codeReserved = "V0110" // a reserved word as a name
	codeColon    = "V0111" // `=` where `:` is wanted, or the reverse
	codeChain    = "V0112" // a chain of comparisons
	codeComma    = "V0113" // a comma is missing
	codeElse     = "V0114" // `if` without `else`
	codeNot      = "V0115" // `not` behind a tighter operator
	codeForeign  = "V0116" // a construct of other languages
)
