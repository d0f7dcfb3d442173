package ir

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// Attribute structs print and parse by reflection, so that a new op needs no code here:
// field Dim prints as dim=1; a true bool prints as its name alone; a list as (1,2).

// attr is one name=value of the text.
type attr struct{ name, value string }

func attrName(field string) string {
	return string(unicode.ToLower(rune(field[0]))) + field[1:]
}

func printAttrs(a any) string {
	if a == nil {
		return ""
	}
	v := reflect.ValueOf(a).Elem()
	var b strings.Builder
	for i := 0; i < v.NumField(); i++ {
		name, f := attrName(v.Type().Field(i).Name), v.Field(i)
		if hidden(v.Type().Field(i)) {
			continue
		}
		switch f.Kind() {
		case reflect.Bool:
			if f.Bool() {
				b.WriteString(" " + name)
			}
		case reflect.Int:
			fmt.Fprintf(&b, " %s=%d", name, f.Int())
		case reflect.String:
			if f.String() != "" {
				fmt.Fprintf(&b, " %s=%s", name, quoteWord(f.String()))
			}
		case reflect.Slice:
			fmt.Fprintf(&b, " %s=%s", name, listText(f.Interface()))
		default:
			panic(&Bug{Msg: "attribute " + name + " has a type that does not print"})
		}
	}
	return b.String()
}

// hidden fields are told by the text's bindings: tag ir:"-".
func hidden(f reflect.StructField) bool { return f.Tag.Get("ir") == "-" }

// listText prints a list of numbers, or of mesh axes as types have them.
func listText(list any) string {
	if names, ok := list.([]string); ok {
		return axesText(names)
	}
	return "(" + joinInts(list.([]int)) + ")"
}

func joinInts(xs []int) string {
	s := make([]string, len(xs))
	for i, x := range xs {
		s[i] = strconv.Itoa(x)
	}
	return strings.Join(s, ",")
}

// quoteWord leaves plain words bare.
func quoteWord(s string) string {
	for _, c := range s {
		if c != '_' && c != '.' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return strconv.Quote(s)
		}
	}
	return s
}

func setAttr(a any, at attr) error {
	if a == nil {
		return fmt.Errorf("no attribute %q here", at.name)
	}
	v := reflect.ValueOf(a).Elem()
	for i := 0; i < v.NumField(); i++ {
		if f := v.Type().Field(i); attrName(f.Name) != at.name || hidden(f) {
			continue
		}
		return setField(v.Field(i), at)
	}
	return fmt.Errorf("no attribute %q here", at.name)
}

func setField(f reflect.Value, at attr) error {
	switch f.Kind() {
	case reflect.Bool:
		f.SetBool(true)
	case reflect.Int:
		n, err := strconv.Atoi(at.value)
		if err != nil {
			return fmt.Errorf("%s=%q is not a whole number", at.name, at.value)
		}
		f.SetInt(int64(n))
	case reflect.String:
		f.SetString(at.value)
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.String {
			f.Set(reflect.ValueOf(strings.FieldsFunc(at.value, func(r rune) bool { return strings.ContainsRune("(), ", r) })))
			return nil
		}
		xs := []int{}
		for _, s := range strings.Split(strings.Trim(at.value, "()"), ",") {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			n, err := strconv.Atoi(s)
			if err != nil {
				return fmt.Errorf("%s=%q is not a list of whole numbers", at.name, at.value)
			}
			xs = append(xs, n)
		}
		f.Set(reflect.ValueOf(xs))
	}
	return nil
}

func attrNames(a any) []string {
	t := reflect.TypeOf(a).Elem()
	var names []string
	for i := 0; i < t.NumField(); i++ {
		if !hidden(t.Field(i)) {
			names = append(names, attrName(t.Field(i).Name))
		}
	}
	return names
}
