package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"vitc/ir/diag"
	"vitc/stdlib"
)

// Unit is a file with everything that it uses, parsed.
type Unit struct {
	root    *source
	sources map[string]*source // by name, as positions have it
}

// source is one parsed file.
type source struct {
	name  string
	text  []byte
	lines []string // of text, when first asked for
	file  *File
	decls map[string]Decl
	uses  map[string]*source
}

// maxFiles bounds how many files one program may use.
const maxFiles = 200

// Load parses a file, the files that it uses, found beside it through open, and the library.
// The unit is never nil; it can be checked if the list holds no error.
func Load(name string, src []byte, open func(path string) ([]byte, error)) (*Unit, diag.List) {
	l := &loader{unit: &Unit{sources: map[string]*source{}}, open: open}
	l.unit.root = l.add(name, src, l.user)
	return l.unit, l.list
}

type loader struct {
	unit *Unit
	open func(string) ([]byte, error)
	list diag.List
}

// resolver finds the file that an item of a `use` in a file means.
type resolver func(from *source, item *UseItem) (name string, text []byte, next resolver, err error)

func (l *loader) add(name string, text []byte, find resolver) *source {
	file, errs := Parse(name, text)
	l.list = append(l.list, errs...)
	s := &source{name: name, text: text, file: file, decls: map[string]Decl{}, uses: map[string]*source{}}
	l.unit.sources[name] = s
	for _, d := range file.Decls {
		l.declare(s, d, find)
	}
	return s
}

func (l *loader) declare(s *source, d Decl, find resolver) {
	use, ok := d.(*Use)
	if !ok {
		l.parameters(d)
		name := declName(d)
		if name.Name == "" {
			return
		}
		if old, twice := s.decls[name.Name]; twice {
			l.twice(name, old)
			return
		}
		s.decls[name.Name] = d
		return
	}
	for _, item := range use.Items {
		if item.Name.Name == "" {
			continue
		}
		if old, twice := s.decls[item.Name.Name]; twice {
			l.twice(item.Name, old)
			continue
		}
		s.decls[item.Name.Name] = use
		if used := l.use(s, item, find); used != nil {
			s.uses[item.Name.Name] = used
		}
	}
}

// parameters reports names that stand twice in one list of parameters or fields.
func (l *loader) parameters(d Decl) {
	var lists []*Params
	fn := func(f *Fn) { lists = append(lists, f.Params, f.Fields) }
	members := func(list []Member) {
		for _, m := range list {
			if f, ok := m.(*Fn); ok {
				fn(f)
			}
		}
	}
	switch d := d.(type) {
	case *Module:
		lists = append(lists, d.Params)
		members(d.Body)
	case *Fn:
		fn(d)
	case *Host:
		lists = append(lists, d.Params)
	case *Config:
		lists = append(lists, d.Params, d.Yields)
		members(d.Body)
	}
	for _, p := range lists {
		l.distinct(p)
	}
}

func (l *loader) distinct(list *Params) {
	if list == nil {
		return
	}
	seen := map[string]*Param{}
	for _, p := range list.List {
		if old := seen[p.Name.Name]; old != nil && p.Name.Name != "" {
			l.twice(p.Name, old)
			continue
		}
		seen[p.Name.Name] = p
	}
}

func (l *loader) twice(name Ident, old Node) {
	l.list.Add(&diag.Diagnostic{Code: codeDeclared, Pos: name.At, Msg: fmt.Sprintf("`%s` is declared twice", name.Name),
		Notes: []diag.Note{{Pos: old.Pos(), Text: "the first one"}}, Fix: "another name"})
}

func (l *loader) use(s *source, item *UseItem, find resolver) *source {
	name, text, next, err := find(s, item)
	if err == nil && len(l.unit.sources) >= maxFiles {
		err = fmt.Errorf("a program uses more than %d files", maxFiles)
	}
	if err != nil {
		d := &diag.Diagnostic{Code: codeFile, Pos: item.At, Msg: err.Error()}
		if item.File == "" {
			d.Msg = fmt.Sprintf("the library has no `%s`", item.Name.Name)
			d.Expected = "one of " + strings.Join(stdlib.Names(), ", ")
			d.Fix = diag.Nearest(item.Name.Name, stdlib.Names())
			if d.Fix == "" {
				d.Fix = fmt.Sprintf("use %q as %s, for a file of your own", item.Name.Name+".vit", item.Name.Name)
			}
		}
		l.list.Add(d)
		return nil
	}
	if old := l.unit.sources[name]; old != nil {
		return old
	}
	return l.add(name, text, next)
}

// user resolves the items of a file of the user's: files beside it, and the library.
func (l *loader) user(from *source, item *UseItem) (string, []byte, resolver, error) {
	if item.File == "" {
		return l.library(from, item)
	}
	name := filepath.ToSlash(filepath.Join(filepath.Dir(from.name), filepath.FromSlash(item.File)))
	if path.IsAbs(item.File) {
		name = item.File
	}
	if _, taken := stdlib.Source(strings.TrimSuffix(name, ".vit")); taken {
		name = "./" + name // the library's files go by their bare names
	}
	if old := l.unit.sources[name]; old != nil {
		return name, old.text, l.user, nil
	}
	text, err := l.open(name)
	if err != nil {
		return "", nil, nil, fmt.Errorf("cannot read %s: %w", item.File, err)
	}
	return name, text, l.user, nil
}

// library resolves the items of a file of the library, which uses nothing else.
func (l *loader) library(_ *source, item *UseItem) (string, []byte, resolver, error) {
	text, ok := stdlib.Source(item.Name.Name)
	if !ok || item.File != "" {
		return "", nil, nil, fmt.Errorf("the library has no `%s`", item.Name.Name)
	}
	name := item.Name.Name + ".vit"
	if old := l.unit.sources[name]; old != nil && !slices.Equal(old.text, text) {
		name = "library/" + name
	}
	return name, text, l.library, nil
}

func declName(d Decl) Ident {
	switch d := d.(type) {
	case *Module:
		return d.Name
	case *Fn:
		if d.Name != nil {
			return *d.Name
		}
	case *Let:
		return d.Name
	case *Host:
		return d.Name
	case *Model:
		return d.Name
	case *Config:
		return d.Name
	}
	return Ident{}
}

// Source returns the text of a file of the unit by the name that positions have, nil if
// there is none.
func (u *Unit) Source(name string) []byte {
	if s := u.sources[name]; s != nil {
		return s.text
	}
	return nil
}

// Hashes returns the sha256 of every file of the unit, in hexadecimal, by name.
func (u *Unit) Hashes() map[string]string {
	out := map[string]string{}
	for name, s := range u.sources {
		sum := sha256.Sum256(s.text)
		out[name] = hex.EncodeToString(sum[:])
	}
	return out
}

// Trains returns the names of the file's train blocks, in its order.
func (u *Unit) Trains() []string {
	var out []string
	for _, c := range u.configs(Train) {
		out = append(out, c.Name.Name)
	}
	return out
}

// Models returns the names of the file's models, in its order.
func (u *Unit) Models() []string {
	var out []string
	for _, d := range u.root.file.Decls {
		if m, ok := d.(*Model); ok {
			out = append(out, m.Name.Name)
		}
	}
	return out
}

// configs returns the root file's blocks of a kind that have a name of their own.
func (u *Unit) configs(k Kind) []*Config {
	var out []*Config
	for _, d := range u.root.file.Decls {
		if c, ok := d.(*Config); ok && c.Kind == k && u.root.decls[c.Name.Name] == d {
			out = append(out, c)
		}
	}
	return out
}
