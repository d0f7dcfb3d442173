package irtest

import (
	"math"
	"strings"

	"vitc/ir"
	"vitc/ir/diag"
)

// ViT sizes a Vision Transformer.
type ViT struct {
	Batch, Tokens, Patch, Width, Heads, Depth, Classes int
	DType                                              ir.DType // of activations; Invalid: F32
}

// Block is the path of a ViT's blocks, which are the turns of one loop; their attention is at .attn
// under it, their two products with a gelu between at .mlp.
const Block = "net.block"

// vit builds the functions of one ViT.
type vit struct {
	ViT
	b      *ir.Builder
	f      *ir.Func
	params []*ir.Value
}

// Step is a module with one function, @step(params.., image, label) -> (params.., loss): a
// pre-norm ViT with its blocks in a scan, mean pooling, cross entropy and plain gradient
// descent. It is what a front end would lower such a model to, and so a case of real shape.
func (c ViT) Step() *ir.Module {
	if c.DType == ir.Invalid {
		c.DType = ir.F32
	}
	f := &ir.Func{Name: "step", Body: &ir.Region{}, Precision: ir.F32}
	v := &vit{ViT: c, f: f, b: &ir.Builder{Region: f.Body}}
	embed := v.param("embed", v.dims("patch", "width"))
	place := v.param("place", v.dims("token", "width"))
	var layers []*ir.Value
	for _, l := range []struct{ name, dims string }{
		{"norm1.gain", "width"}, {"qkv", "width three head dim"}, {"out", "head dim width"},
		{"norm2.gain", "width"}, {"up", "width mlp"}, {"up.bias", "mlp"}, {"down", "mlp width"},
	} {
		layers = append(layers, v.param("block."+l.name, v.dims(append([]string{"layer"}, strings.Fields(l.dims)...)...)))
	}
	head := v.param("head", v.dims("width", "class"))
	image := v.arg(ir.RoleInput, "image", ir.T(ir.F32, v.dims("batch", "token", "patch")...))
	label := v.arg(ir.RoleInput, "label", ir.T(ir.I32, v.dims("batch")...))

	x := v.b.Dot(v.cast(image), v.cast(embed), ir.MustRule("btp,pw->btw"))
	x = v.b.Add(x, v.b.Broadcast(v.cast(place), ir.MustRule("tw->btw"), v.dims("batch", "token", "width")))
	x = v.blocks(x, layers)
	pooled := v.b.MulC(v.b.ReduceTo("sum", v.norm(x), ir.MustRule("btw->bw"), v.dims("batch", "width")), 1/float64(c.Tokens))
	loss := v.crossEntropy(v.b.Dot(pooled, v.cast(head), ir.MustRule("bw,wc->bc")), label)
	v.descend(loss)
	return &ir.Module{Phase: ir.Built, Funcs: []*ir.Func{f}}
}

// dims sizes labels.
func (v *vit) dims(labels ...string) []ir.Dim {
	size := map[string]int{"batch": v.Batch, "token": v.Tokens, "key": v.Tokens, "patch": v.Patch, "width": v.Width,
		"head": v.Heads, "dim": v.Width / v.Heads, "three": 3, "mlp": 4 * v.Width, "layer": v.Depth, "class": v.Classes}
	dims := make([]ir.Dim, len(labels))
	for i, l := range labels {
		dims[i] = ir.Dim{Label: l, Size: size[l]}
	}
	return dims
}

func (v *vit) arg(role ir.Role, name string, t ir.Type) *ir.Value {
	v.f.Args = append(v.f.Args, ir.Port{Role: role, Name: name})
	return v.b.Param(name, t)
}

func (v *vit) param(name string, dims []ir.Dim) *ir.Value {
	p := v.arg(ir.RoleState, name, ir.T(ir.F32, dims...))
	v.params = append(v.params, p)
	return p
}

func (v *vit) cast(x *ir.Value) *ir.Value { return v.b.Cast(x, v.DType) }

// blocks runs the layers as a scan.
func (v *vit) blocks(x *ir.Value, layers []*ir.Value) *ir.Value {
	outer := v.b
	body := &ir.Region{}
	v.b = &ir.Builder{Region: body, Pos: &diag.Loc{Path: Block}}
	in := v.b.Param("x", x.Type)
	w := make([]*ir.Value, len(layers))
	for i, l := range layers {
		w[i] = v.cast(v.b.Param(l.Name, ir.EachType(l.Type)))
	}
	mid := v.b.Add(in, v.attention(v.gain(v.norm(in), w[0]), w[1], w[2]))
	body.Yield = []*ir.Value{v.b.Add(mid, v.mlp(v.gain(v.norm(mid), w[3]), w[4], w[5], w[6]))}
	v.b = outer
	v.b.Pos = &diag.Loc{Path: Block}
	defer func() { v.b.Pos = nil }()
	a := ir.ScanAttrs{Length: v.Depth, Carry: 1, Each: len(layers), Label: "layer"}
	return v.b.Scan(a, append([]*ir.Value{x}, layers...), body)[0]
}

var rowRule, backRule = ir.MustRule("btw->bt"), ir.MustRule("bt->btw")

// norm takes rows of width to mean 0 and variance 1.
func (v *vit) norm(x *ir.Value) *ir.Value {
	mean := func(y *ir.Value) *ir.Value {
		m := v.b.MulC(v.b.ReduceTo("sum", y, rowRule, v.dims("batch", "token")), 1/float64(v.Width))
		return v.b.Broadcast(m, backRule, v.dims("batch", "token", "width"))
	}
	d := v.b.Sub(x, mean(x))
	return v.b.Mul(d, v.b.Unary("rsqrt", v.b.AddC(mean(v.b.Mul(d, d)), 1e-6)))
}

// gain scales the width by 1 + g, so that drawn parameters near 0 are fit.
func (v *vit) gain(x, g *ir.Value) *ir.Value {
	return v.b.Mul(x, v.b.Broadcast(v.b.AddC(g, 1), ir.MustRule("w->btw"), x.Type.Dims))
}

// within has what follows come from a part of a block; the result ends it.
func (v *vit) within(part string) func() {
	outer := v.b.Pos
	v.b.Pos = &diag.Loc{Path: Block + "." + part}
	return func() { v.b.Pos = outer }
}

func (v *vit) attention(x, qkv, out *ir.Value) *ir.Value {
	defer v.within("attn")()
	all := v.b.DotTo(x, qkv, ir.MustRule("btw,wzhe->zbhte"), v.dims("three", "batch", "head", "token", "dim"))
	part := func(i int) *ir.Value {
		p := v.b.Slice(all, 0, i, i+1)
		return v.b.Rearrange(p, ir.MustRule("zbhte->(zb)hte"), v.dims("batch", "head", "token", "dim"))
	}
	dims := v.dims("batch", "head", "token", "key")
	s := v.b.DotTo(part(0), part(1), ir.MustRule("bhte,bhke->bhtk"), dims)
	s = v.b.MulC(s, 1/math.Sqrt(float64(v.Width/v.Heads)))
	p := v.softmax(s, ir.MustRule("bhtk->bht"), ir.MustRule("bht->bhtk"))
	o := v.b.Dot(p, part(2), ir.MustRule("bhtk,bhke->bhte"))
	return v.b.Dot(o, out, ir.MustRule("bhte,hew->btw"))
}

func (v *vit) softmax(x *ir.Value, row, back ir.Rule) *ir.Value {
	dims := x.Type.Dims
	spread := func(y *ir.Value) *ir.Value { return v.b.Broadcast(y, back, dims) }
	e := v.b.Unary("exp", v.b.Sub(x, spread(v.b.ReduceTo("max", x, row, dims[:len(dims)-1]))))
	return v.b.Div(e, spread(v.b.ReduceTo("sum", e, row, dims[:len(dims)-1])))
}

// mlp has the exact gelu, x·Φ(x), between its products.
func (v *vit) mlp(x, up, bias, down *ir.Value) *ir.Value {
	defer v.within("mlp")()
	h := v.b.Dot(x, up, ir.MustRule("btw,wm->btm"))
	h = v.b.Add(h, v.b.Broadcast(bias, ir.MustRule("m->btm"), h.Type.Dims))
	phi := v.b.MulC(v.b.AddC(v.b.Unary("erf", v.b.MulC(h, math.Sqrt2/2)), 1), 0.5)
	return v.b.Dot(v.b.Mul(h, phi), down, ir.MustRule("btm,mw->btw"))
}

// crossEntropy is the mean over the batch of -log softmax at the label, in f32.
func (v *vit) crossEntropy(logits, label *ir.Value) *ir.Value {
	z := v.b.Cast(logits, ir.F32)
	row, back, batch := ir.MustRule("bc->b"), ir.MustRule("b->bc"), v.dims("batch")
	d := v.b.Sub(z, v.b.Broadcast(v.b.ReduceTo("max", z, row, batch), back, z.Type.Dims))
	sum := v.b.Unary("log", v.b.ReduceTo("sum", v.b.Unary("exp", d), row, batch))
	own := v.b.Carry("gather", nil, ir.MustRule("bc,b->b"), nil, d, label)
	return v.b.MulC(v.b.SumAll(v.b.Sub(sum, own)), 1/float64(v.Batch))
}

// descend yields every parameter a step downhill, and the loss.
func (v *vit) descend(loss *ir.Value) {
	grads := v.b.Emit(&ir.Op{Row: ir.Lookup("grad"), In: append([]*ir.Value{loss}, v.params...)}, nil)
	for i, p := range v.params {
		v.f.Results = append(v.f.Results, ir.Port{Role: ir.RoleState, Name: v.f.Args[i].Name})
		v.f.Body.Yield = append(v.f.Body.Yield, v.b.Sub(p, v.b.MulC(grads[i], 0.1)))
	}
	v.f.Results = append(v.f.Results, ir.Port{Role: ir.RoleMetric, Name: "loss"})
	v.f.Body.Yield = append(v.f.Body.Yield, loss)
}
