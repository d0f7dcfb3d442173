package driver

import (
	"fmt"
	"path/filepath"
	"strings"

	"vitc/ir/diag"
	"vitc/lang"
	"vitc/stdlib"
)

// Library documents the files of the library, in alphabetical order.
func Library() ([]*lang.Documentation, error) {
	var out []*lang.Documentation
	for _, name := range stdlib.Names() {
		text, _ := stdlib.Source(name)
		d, list := lang.Document(name, text)
		if err := failure(list); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Document documents a file, and of it the declaration that is meant, nil for all. The topic is
// a file of the library or one's own, then, behind a point, a declaration: nn, nn.Linear,
// model.vit, model.vit.Block.
func Document(s *Sources, topic string) (*lang.Documentation, *lang.Documented, error) {
	file, name := topic, ""
	if i := strings.Index(topic, ".vit."); i >= 0 {
		file, name = topic[:i+len(".vit")], topic[i+len(".vit."):]
	} else if filepath.Ext(topic) != ".vit" {
		file, name, _ = strings.Cut(topic, ".")
	}
	text, ok := stdlib.Source(file)
	if !ok {
		if filepath.Ext(file) != ".vit" {
			return nil, nil, unknownTopic(file)
		}
		var err error
		if text, err = s.Read(file, nil); err != nil {
			return nil, nil, err
		}
	}
	d, list := lang.Document(file, text)
	if err := failure(list); err != nil || name == "" {
		return d, nil, err
	}
	for i := range d.Declarations {
		if d.Declarations[i].Name == name {
			return d, &d.Declarations[i], nil
		}
	}
	return nil, nil, undeclared(d, name)
}

// unknownTopic reports a name that is no file of the library: most likely a declaration.
func unknownTopic(name string) error {
	d := &diag.Diagnostic{Code: CodeValue, Msg: fmt.Sprintf("the library has no %q", name),
		Expected: "one of " + strings.Join(stdlib.Names(), ", ") + ", a declaration such as nn.Linear, or a file such as model.vit", Fix: diag.Nearest(name, stdlib.Names())}
	library, err := Library()
	if err != nil {
		return err
	}
	for _, file := range library {
		for _, x := range file.Declarations {
			if x.Name == name || d.Fix == "" && strings.EqualFold(x.Name, name) {
				d.Fix = "vitc doc " + file.Name + "." + x.Name
			}
		}
	}
	return &UsageError{d}
}

func undeclared(f *lang.Documentation, name string) error {
	var names []string
	for _, x := range f.Declarations {
		names = append(names, x.Name)
	}
	d := &diag.Diagnostic{Code: CodeValue, Msg: fmt.Sprintf("%s declares no %q", f.Name, name), Fix: diag.Nearest(name, names)}
	if d.Fix == "" {
		d.Fix = "vitc doc " + f.Name + " lists what it declares"
	}
	return &UsageError{d}
}
