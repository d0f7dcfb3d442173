package lang

// walk visits an expression and everything in it, in the order of the text.
func walk(e Expr, visit func(Expr)) {
	if e == nil {
		return
	}
	visit(e)
	for _, x := range parts(e) {
		walk(x, visit)
	}
}

// parts lists an expression's own operands.
func parts(e Expr) []Expr {
	switch e := e.(type) {
	case *List:
		return e.Items
	case *Tuple:
		return argValues(e.Args)
	case *Call:
		return append([]Expr{e.Fn}, argValues(e.Args)...)
	case *Index:
		out := []Expr{e.X}
		for _, it := range e.Items {
			if out = append(out, it.From); it.To != nil {
				out = append(out, it.To)
			}
		}
		return out
	case *Field:
		return []Expr{e.X}
	case *Unary:
		return []Expr{e.X}
	case *Binary:
		return []Expr{e.X, e.Y}
	case *Cond:
		return []Expr{e.Then, e.Cond, e.Else}
	case *With:
		return []Expr{e.X}
	case *Repeat:
		return []Expr{e.Body}
	case *For:
		return []Expr{e.In, e.Body}
	}
	return nil
}

func argValues(args []*Arg) []Expr {
	out := make([]Expr, len(args))
	for i, a := range args {
		out[i] = a.Value
	}
	return out
}

func walkStatement(s Stmt, visit func(Expr)) {
	switch s := s.(type) {
	case *Let:
		walk(s.Value, visit)
	case *AxisDecl:
		walk(s.Size, visit)
	case *Require:
		walk(s.Cond, visit)
	case *Update:
		walk(s.Value, visit)
	case *ExprStmt:
		walk(s.X, visit)
	}
}
