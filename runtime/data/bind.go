package data

import (
	"fmt"
	"strings"

	"vitc/runtime/fault"
)

// Kind is the kind of a parameter of a source or stage.
type Kind string

// The kinds, named as the language names them.
const (
	Int    Kind = "int"
	Float  Kind = "float"
	String Kind = "string"
)

// Param is a parameter of a source or stage. Without a default it is required.
type Param struct {
	Name    string
	Kind    Kind
	Default any // int, float64 or string, after Kind
}

// bound holds the value of every parameter of a call: int, float64 or string.
type bound map[string]any

func (b bound) int(name string) int       { return b[name].(int) }
func (b bound) float(name string) float64 { return b[name].(float64) }
func (b bound) text(name string) string   { return b[name].(string) }

// bind gives each parameter its argument or default, by position before names. Errors
// speak of the call as what ("stage", "source").
func bind(what string, call Call, params []Param) (bound, error) {
	bad := func(msg, expected, found string) error {
		return &fault.Error{Where: what + " " + call.Name, Msg: msg, Expected: expected, Found: found}
	}
	b := bound{}
	for i, arg := range call.Args {
		p, ok := paramOf(params, i, arg.Name)
		if !ok {
			return nil, bad("no such argument", signature(call.Name, params), argName(i, arg))
		}
		if _, twice := b[p.Name]; twice {
			return nil, bad("argument given twice", signature(call.Name, params), p.Name)
		}
		v, ok := convert(p.Kind, arg.Value)
		if !ok {
			return nil, bad("argument of another kind", p.Name+": "+string(p.Kind), fmt.Sprintf("%v", arg.Value))
		}
		b[p.Name] = v
	}
	for _, p := range params {
		if _, ok := b[p.Name]; ok {
			continue
		}
		if p.Default == nil {
			return nil, bad("argument missing", signature(call.Name, params), "no "+p.Name)
		}
		b[p.Name] = p.Default
	}
	return b, nil
}

func paramOf(params []Param, i int, name string) (Param, bool) {
	if name == "" {
		if i < len(params) {
			return params[i], true
		}
		return Param{}, false
	}
	for _, p := range params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

func argName(i int, arg Arg) string {
	if arg.Name != "" {
		return arg.Name
	}
	return fmt.Sprintf("%d arguments", i+1)
}

// signature prints a call's parameters: "central_crop(size: int, keep = 0.875)".
func signature(name string, params []Param) string {
	parts := make([]string, len(params))
	for i, p := range params {
		switch {
		case p.Default == nil:
			parts[i] = p.Name + ": " + string(p.Kind)
		case p.Kind == String:
			parts[i] = fmt.Sprintf("%s = %q", p.Name, p.Default)
		default:
			parts[i] = fmt.Sprintf("%s = %v", p.Name, p.Default)
		}
	}
	return name + "(" + strings.Join(parts, ", ") + ")"
}

// convert brings a value to a kind; whole numbers are floats too, nothing else converts.
func convert(kind Kind, value any) (any, bool) {
	if v, ok := value.(int64); ok {
		value = int(v)
	}
	switch v := value.(type) {
	case int:
		if kind == Float {
			return float64(v), true
		}
		return v, kind == Int
	case float64:
		return v, kind == Float
	case string:
		return v, kind == String
	}
	return nil, false
}
