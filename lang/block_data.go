package lang

import (
	"fmt"
	"strconv"

	"vitc/ir"
	"vitc/ir/diag"
)

// dataField is one field of an example: its type without the batch.
type dataField struct {
	name string
	t    *tensor
	at   diag.Pos
}

// dataset is a data block with its parameters given.
type dataset struct {
	decl   *Config
	fields []dataField
	ir     ir.Data
}

// dataOf evaluates the setting `data`: a data block, or a call of one.
func (b *block) dataOf() (*dataset, bool) {
	s := b.settings["data"]
	if s == nil || s.Value == nil {
		b.missing("data", "data: the name of a data block")
		return nil, false
	}
	v, args := opened(b.f.recipeOf(s.Value, "a data block"))
	d, ok := v.(*dataValue)
	if !ok {
		b.bad("data", "a data block", v)
		return nil, false
	}
	if args == nil {
		args = b.f.bind(b.f.signatureOf(d), nil, nil)
	}
	if !b.f.complete(args, s.Value.Pos()) {
		return nil, false
	}
	return b.f.dataset(d, args, s.Value.Pos())
}

// dataset evaluates a data block.
func (f *frame) dataset(d *dataValue, args *arguments, at diag.Pos) (*dataset, bool) {
	g := f.enter(at, "", d.env)
	g.s = nil
	b, ok := g.newBlock(d.decl, args, "all", "none")
	if !ok {
		return nil, false
	}
	out := &dataset{decl: d.decl, ir: ir.Data{Name: d.decl.Name.Name, Dir: fileDir(d.decl.At.File), Pos: d.decl.At}}
	if !b.fields(out) {
		return nil, false
	}
	return out, b.source(out) && b.stages(out) && b.shuffle(out)
}

func (b *block) fields(out *dataset) bool {
	if b.decl.Yields == nil || len(b.decl.Yields.List) == 0 {
		b.f.report(&diag.Diagnostic{Code: codeFields, Pos: b.decl.Name.At, Msg: "a data block says what fields an example has", Fix: fmt.Sprintf("data %s -> (image: u8[row: 28, col: 28, channel: 1], label: i32[])", b.decl.Name.Name)})
		return false
	}
	for _, p := range b.decl.Yields.List {
		if p.Type == nil || !p.Type.Tensor || p.Type.Name == "" {
			b.f.report(&diag.Diagnostic{Code: codeFields, Pos: p.At, Msg: fmt.Sprintf("the field `%s` lacks its type", p.Name.Name), Fix: p.Name.Name + ": i32[]"})
			return false
		}
		d, ok := b.f.dtypeNamed(p.Type)
		if !ok {
			return false
		}
		if d == ir.Real {
			b.f.report(&diag.Diagnostic{Code: codeDType, Pos: p.Type.At, Msg: "a field cannot be real: a file holds what it holds", Fix: "f32"})
			return false
		}
		t := &tensor{d: d}
		for _, a := range p.Type.Axes {
			if a.Rest {
				b.f.report(&diag.Diagnostic{Code: codeAxes, Pos: a.At, Msg: "`...` in a field", Expected: "every axis, with its size"})
				return false
			}
			l, ok := b.f.typeAxis(a)
			if !ok {
				return false
			}
			t.axes = append(t.axes, l...)
		}
		if !b.f.fits(p.Type.At, t.axes) || !b.noBatch(t, p) {
			return false
		}
		out.fields = append(out.fields, dataField{p.Name.Name, t, p.At})
		out.ir.Fields = append(out.ir.Fields, ir.Field{Name: p.Name.Name, Type: ir.T(d, t.axes.dims()...), Pos: p.At})
	}
	return true
}

func (b *block) noBatch(t *tensor, p *Param) bool {
	if t.axes.named("batch") < 0 {
		return true
	}
	b.f.report(&diag.Diagnostic{Code: codeFields, Pos: p.Type.At, Msg: "a field is that of one example: `batch` is added", Fix: "the type without `batch`"})
	return false
}

// sourced reports data without a source where examples are to be read.
func (b *block) sourced(d *dataset) bool {
	if d == nil || d.ir.Source.Name != "" {
		return d != nil
	}
	b.f.report(&diag.Diagnostic{Code: codeSetting, Pos: d.decl.Name.At, Msg: fmt.Sprintf("`%s` lacks the setting `source`", d.decl.Name.Name),
		Notes: []diag.Note{{Pos: b.settings["data"].At, Text: "which is needed here"}}, Fix: `source: idx(images: "images.gz", labels: "labels.gz")`})
	return false
}

// source evaluates `source: idx(...)`: a function of the runtime's, by its bare name.
func (b *block) source(out *dataset) bool {
	s := b.settings["source"]
	if s == nil {
		return true // predictions need none
	}
	call, ok := s.Value.(*Call)
	var name *Name
	if ok {
		name, ok = call.Fn.(*Name)
	}
	if !ok {
		b.f.report(&diag.Diagnostic{Code: codeValue, Pos: s.Value.Pos(), Msg: "`source` says where examples come from", Expected: "a call such as idx(...), folder(...) or tar(...)"})
		return false
	}
	out.ir.Source = ir.Call{Name: name.Name, Pos: call.At}
	for _, a := range call.Args {
		if a.Spread {
			b.f.report(&diag.Diagnostic{Code: codeArgument, Pos: a.At, Msg: "a source takes no record"})
			return false
		}
		v, ok := b.f.hostArg(b.f.eval(a.Value), a.Value.Pos())
		if !ok {
			return false
		}
		arg := ir.Arg{Value: v}
		if a.Name != nil {
			arg.Name = a.Name.Name
		}
		out.ir.Source.Args = append(out.ir.Source.Args, arg)
	}
	return true
}

func (b *block) stages(out *dataset) bool {
	v := b.value("stages")
	if v == nil {
		return true
	}
	l, ok := v.(list)
	if !ok {
		b.bad("stages", "a list of host functions' calls, such as [augment.flip()]", v)
		return false
	}
	for _, x := range l {
		h, ok := x.(*hosted)
		if !ok {
			b.bad("stages", "a list of host functions' calls, such as [augment.flip()]", x)
			return false
		}
		out.ir.Stages = append(out.ir.Stages, h.call)
	}
	return true
}

func (b *block) shuffle(out *dataset) bool {
	switch v := b.value("shuffle").(type) {
	case nil:
		out.ir.Shuffle = "none"
		return true
	case symbol:
		out.ir.Shuffle = string(v)
		return true
	case num:
		if n, ok := integer(v); ok && n > 0 {
			out.ir.Shuffle = strconv.Itoa(n)
			return true
		}
		b.bad("shuffle", "all, none, or a number of examples to shuffle among", v)
	default:
		b.bad("shuffle", "all, none, or a number of examples to shuffle among", v)
	}
	return false
}
