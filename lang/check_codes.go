package lang

// Codes of the diagnostics of checking and lowering: V02 of axes, sizes and dtypes, V03 of
// values, kinds and arguments, V04 of paths, blocks and
// settings, V05 of plans.
const (
	codeNoAxis    = "V0201" // no operand has the axis
	codeNoSize    = "V0202" // nothing gives an axis its size
	codeSize      = "V0203" // a size that is not whole, or too small
	codeTwoSizes  = "V0204" // one axis, two sizes
	codeTwice     = "V0205" // a tensor with an axis twice
	codeOuter     = "V0206" // neither operand's axes among the other's
	codeAxes      = "V0207" // axes that a type does not have, or lacks
	codeSplit     = "V0208" // a split or merge that does not come out
	codeRange     = "V0209" // a position outside an axis or list
	codeMixed     = "V0210" // operands of different dtypes
	codeDType     = "V0211" // an operation that a dtype does not have
	codeLarge     = "V0212" // a tensor too large
	codeTurns     = "V0213" // a turn of a loop that changes its argument's type
	codeContract  = "V0214" // an axis contracted that only one operand has
	codeLater     = "V0299" // part of the language, not yet of the compiler
	codeName      = "V0301" // an unknown name
	codeMember    = "V0302" // an unknown member
	codeCall      = "V0303" // something that cannot be called
	codeMissing   = "V0305" // an argument is missing
	codeArgument  = "V0306" // an argument that does not exist
	codeKind      = "V0307" // a value of another kind
	codeGiven     = "V0308" // given twice
	codeUnused    = "V0309" // a value that nothing uses, or none where one is wanted
	codeCondition = "V0310" // a condition that the compiler cannot know
	codeRequire   = "V0311" // a user's own error
	codeRecursion = "V0312" // what would not end
	codeOperator  = "V0313" // an operator between such values
	codeInstance  = "V0314" // an instance made where it cannot be
	codeOutside   = "V0315" // a tensor outside a function
	codeWrite     = "V0316" // a state that cannot be written here
	codeNumeric   = "V0317" // arithmetic without a result
	codeInitial   = "V0318" // what is no initialiser
	codeFile      = "V0401" // a file that cannot be used
	codeSetting   = "V0402" // an unknown, missing or doubled setting or member
	codePattern   = "V0403" // a pattern that matches nothing
	codeUnmatched = "V0404" // a parameter that no pattern matches
	codeValue     = "V0405" // a setting's value
	codeFields    = "V0406" // a block's function and its data's fields
	codeTarget    = "V0407" // what a block is of
	codeDeclared  = "V0408" // two declarations of one name
	codeNotYet    = "V0409" // a block that the compiler passes over
	codePath      = "V0410" // two parameters of one path
	codeUneven    = "V0503" // what a mesh does not divide
	codePlanAxis  = "V0505" // a line of a plan that cuts nothing
	codeMeshAxis  = "V0506" // a mesh axis that there is not, or that a line has twice
	codeBug       = "V9999" // a broken invariant of the compiler
)
