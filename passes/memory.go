package passes

import "vitc/ir"
func memory(*ir.Module, *Context) {}
