package codegen

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"vitc/ir"
)

// vector is a line of n numbers.
func vector(n int) ir.Type { return ir.T(ir.F32, ir.Dim{Label: "n", Size: n}) }

// sample is a small bundle with every kind of step.
func sample() *Bundle {
	t := ir.T(ir.F32, ir.Dim{Label: "layer", Size: 4}, ir.Dim{Label: "n", Size: 8})
	return &Bundle{
		Program: &ir.Program{Name: "net", State: []ir.Leaf{{Name: "w", Kind: ir.LeafParam, Type: t}}},
		Target:  "cpu", ISA: "avx2", IR: "ir scheduled\n",
		Objects: []Object{{Name: "a", Kernels: []string{"k1", "k2"}, Code: []byte("code")}, {Name: "b", Kernels: []string{"k3"}, Code: []byte{0, 1}}},
		Plan: &Plan{Mesh: ir.Mesh{{Name: "x", Size: 2}, {Name: "y", Size: 2}}, Funcs: []FuncPlan{{
			Name:    "step",
			Args:    []PlanArg{{Role: ir.RoleState, Name: "w", Type: t}, {Role: ir.RoleInput, Name: "x", Type: ir.T(ir.U8, ir.Dim{Label: "n", Size: 8})}},
			Results: []PlanArg{{Role: ir.RoleState, Name: "w", Type: t, In: 1}, {Role: ir.RoleMetric, Name: "loss", Type: ir.T(ir.F32)}},
			Arena:   256,
			Steps: []Step{
				{Run: &Run{Kernel: "k1", Args: []Addr{{Space: "arg1", Bytes: 8}, {Space: "arena", Offset: 64, Bytes: 192}}, Tasks: 3, Scratch: 128}},
				{Loop: &Loop{Length: 4, Reverse: true, Body: []Step{
					{Run: &Run{Kernel: "k2", Args: []Addr{{Space: "arg0", Bytes: 32, Steps: []int{32}}}, Tasks: 1}},
					{Copy: &Copy{Dst: Addr{Space: "arena", Offset: 96, Bytes: 32, Steps: []int{-32}}, Src: Addr{Space: "arg0", Bytes: 32, Steps: []int{32}}}},
				}}},
				{Run: &Run{Kernel: "k3", Args: []Addr{{Space: "res1", Bytes: 4}}, Tasks: 1}},
				{Collective: &Collective{Row: "all_gather", Over: []string{"x"}, In: []Operand{{Addr{Space: "arena", Bytes: 8}, vector(2)}},
					Out: Operand{Addr{Space: "arena", Offset: 64, Bytes: 16}, vector(4)}, Label: "all_gather"}},
				{Collective: &Collective{Row: "permute", Over: []string{"x"}, Step: 1, In: []Operand{{Addr{Space: "arena", Bytes: 8}, vector(2)}},
					Out: Operand{Addr{Space: "arena", Offset: 64, Bytes: 8}, vector(2)}, Ticket: 2}},
				{Wait: &Wait{Ticket: 2, Label: "permute"}},
			},
		}}},
	}
}

func encode(t testing.TB, b *Bundle) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := b.Encode(&w); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func TestBundleRoundTrip(t *testing.T) {
	want := sample()
	data := encode(t, want)
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if again := encode(t, got); !bytes.Equal(again, data) {
		t.Error("encoding what was decoded gives other bytes")
	}
	path := filepath.Join(t.TempDir(), "net.vitb")
	if err := os.WriteFile(path, data[:100], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBundle(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a truncated file gives %v, want an error that names it", err)
	}
}

// Wherever a bit flips or the file ends, that is an error and no panic.
func TestBundleDamage(t *testing.T) {
	data := encode(t, sample())
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1 << (i % 8)
		for _, file := range [][]byte{bad, data[:i]} {
			var e *FormatError
			if _, err := Decode(file); !errors.As(err, &e) || e.Fix == "" || e.Offset > len(file) {
				t.Fatalf("byte %d damaged: got error %v", i, err)
			}
		}
	}
}

func TestBundleHeaderErrors(t *testing.T) {
	data := encode(t, sample())
	newer := bytes.Clone(data)
	newer[8]++
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "no bundle"},
		{[]byte("PK\x03\x04 something else"), "expected the magic"},
		{bytes.Replace(data, []byte("\r\n"), []byte("\n\n"), 1), "binary mode"},
		{newer, "format version 2, this vitc reads version 1"},
		{append(bytes.Clone(data), 0), "its header says"},
		{data[:40], "ends in the header"},
		{data[:len(data)-1], "its header says"},
	} {
		if _, err := Decode(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// Checksums do not help against a file made on purpose: the plan's addresses are checked.
func TestPlanCheck(t *testing.T) {
	loop := func(f *FuncPlan) *Loop { return f.Steps[1].Loop }
	meeting := func(f *FuncPlan) *Collective { return f.Steps[3].Collective }
	put := func(n int) Collective {
		at := Operand{Addr{Space: "arena", Bytes: 16}, vector(4)}
		return Collective{Row: "put", Over: []string{"x"}, In: []Operand{at, {Addr{Space: "arena", Bytes: 4 * n}, vector(n)}}, Out: at}
	}
	for name, c := range map[string]struct {
		break_ func(f *FuncPlan)
		want   string
	}{
		"kernel":        {func(f *FuncPlan) { f.Steps[0].Run.Kernel = "k9" }, `no kernel "k9"`},
		"space":         {func(f *FuncPlan) { f.Steps[0].Run.Args[0].Space = "arg7" }, `no space "arg7"`},
		"space name":    {func(f *FuncPlan) { f.Steps[0].Run.Args[0].Space = "arg01" }, `no space "arg01"`},
		"past the end":  {func(f *FuncPlan) { f.Steps[0].Run.Args[1].Bytes++ }, "bytes 64 to 257 of arena, which has 256"},
		"before":        {func(f *FuncPlan) { f.Steps[0].Run.Args[1].Offset = -1 }, "bytes -1 to 191"},
		"step":          {func(f *FuncPlan) { loop(f).Body[0].Run.Args[0].Steps[0] = 33 }, "bytes 0 to 131 of arg0"},
		"step back":     {func(f *FuncPlan) { loop(f).Body[1].Copy.Dst.Offset = 95 }, "bytes -1 to 127"},
		"step overflow": {func(f *FuncPlan) { loop(f).Body[0].Run.Args[0].Steps[0] = 1 << 62 }, "a step of"},
		"steps":         {func(f *FuncPlan) { f.Steps[0].Run.Args[0].Steps = []int{1} }, "1 steps in 0 loops"},
		"copy":          {func(f *FuncPlan) { loop(f).Body[1].Copy.Dst.Bytes = 31 }, "copy of 32 bytes to 31"},
		"tasks":         {func(f *FuncPlan) { f.Steps[0].Run.Tasks = 0 }, "0 tasks"},
		"scratch":       {func(f *FuncPlan) { f.Steps[0].Run.Scratch = -1 }, "-1 bytes of scratch"},
		"turns":         {func(f *FuncPlan) { loop(f).Length = 0 }, "0 turns"},
		"two in one":    {func(f *FuncPlan) { f.Steps[0].Loop = loop(f) }, "or several"},
		"mesh":          {func(f *FuncPlan) { meeting(f).Over = []string{"z"} }, "has not"},
		"mesh twice":    {func(f *FuncPlan) { meeting(f).Over = []string{"x", "x"} }, "each once"},
		"row":           {func(f *FuncPlan) { meeting(f).Row = "dot" }, `no collective "dot"`},
		"marker":        {func(f *FuncPlan) { meeting(f).Row = "reshard" }, `no collective "reshard"`},
		"operands":      {func(f *FuncPlan) { meeting(f).In = nil }, "0 operands"},
		"group":         {func(f *FuncPlan) { meeting(f).Over = []string{"x", "y"} }, "over 4 devices"},
		"dim past":      {func(f *FuncPlan) { meeting(f).Dim = 1 }, "no dim 1"},
		"dim below":     {func(f *FuncPlan) { meeting(f).Dim = -1 }, "before the first"},
		"operand bytes": {func(f *FuncPlan) { meeting(f).In[0].At.Bytes = 12 }, "12 bytes for"},
		"operand place": {func(f *FuncPlan) { meeting(f).Out.At.Offset = 250 }, "which has 256"},
		"block put":     {func(f *FuncPlan) { *meeting(f) = put(3) }, "gives no"},
		"sharding":      {func(f *FuncPlan) { f.Args[1].Type = vector(8).WithDim(0, "z") }, "has not"},
		"sharded dims":  {func(f *FuncPlan) { f.Args[1].Type.Shard = &ir.Sharding{Dims: [][]string{{"x"}, {"y"}}} }, "2 dims for 1"},
		"padding":       {func(f *FuncPlan) { f.Args[1].Type.Dims[0].Global = 9 }, "of which 9 count"},
		"ticket":        {func(f *FuncPlan) { f.Steps[4].Collective.Ticket = -1 }, "ticket -1, which is no ticket"},
		"ticket twice":  {func(f *FuncPlan) { meeting(f).Ticket = 2 }, "ticket 2, which is no ticket, or under way"},
		"ticket left":   {func(f *FuncPlan) { f.Steps = f.Steps[:5] }, "no step waits for tickets [2]"},
		"ticket unsold": {func(f *FuncPlan) { f.Steps[5].Wait.Ticket = 1 }, "waits for ticket 1, which no step before it has started"},
		"ticket away": {func(f *FuncPlan) {
			loop(f).Body[1] = Step{Wait: f.Steps[5].Wait}
			f.Steps[1], f.Steps[4] = f.Steps[4], f.Steps[1]
		}, "waits for ticket 2"},
		"ticket to put": {func(f *FuncPlan) { *meeting(f) = put(2); meeting(f).Ticket = 1 }, "it moves nothing"},
		"half a row":    {func(f *FuncPlan) { meeting(f).Row = "all_gather_start" }, `no collective "all_gather_start"`},
		"none":          {func(f *FuncPlan) { f.Steps[0].Run = nil }, "none of run"},
		"arena":         {func(f *FuncPlan) { f.Arena = -64 }, "arena of -64"},
		"dtype":         {func(f *FuncPlan) { f.Args[1].Type.DType = ir.Real }, "no place in memory"},
		"dim":           {func(f *FuncPlan) { f.Args[1].Type.Dims = []ir.Dim{{Size: 1 << 40}, {Size: 1 << 40}} }, "a dim of"},
		"replaced":      {func(f *FuncPlan) { f.Results[0].In = 3 }, "argument 2 of 2"},
		"replaced type": {func(f *FuncPlan) { f.Results[1].In = 2 }, "lies in argument 1"},
		"shared":        {func(f *FuncPlan) { f.Results = append(f.Results, f.Results[0]) }, "or shares it"},
		"deep": {func(f *FuncPlan) {
			for range 20 {
				f.Steps = []Step{{Loop: &Loop{Length: 1, Body: f.Steps}}}
			}
		}, "nested deeper"},
	} {
		b := sample()
		c.break_(&b.Plan.Funcs[0])
		if _, err := Decode(encode(t, b)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "section plan") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for _, m := range []ir.Mesh{{{Name: "x", Size: 0}}, {{Name: "", Size: 1}}, {{Name: "x", Size: 1}, {Name: "x", Size: 2}}, {{Name: "x", Size: 1 << 20}, {Name: "y", Size: 2}}} {
		b := sample()
		b.Plan.Mesh = m
		if err := b.Plan.Check(b.Kernels()); err == nil || !strings.Contains(err.Error(), "mesh") {
			t.Errorf("mesh %v: %v", m, err)
		}
	}
	b := sample()
	b.Plan.Funcs = append(b.Plan.Funcs, b.Plan.Funcs[0])
	if err := b.Plan.Check(b.Kernels()); err == nil || !strings.Contains(err.Error(), "two functions") {
		t.Errorf("two functions of one name: %v", err)
	}
}

func TestObjectsReader(t *testing.T) {
	good := encodeObjects(sample().Objects)
	for i := range good {
		if _, err := decodeObjects(good[:i]); err == nil {
			t.Errorf("objects cut at byte %d of %d are read", i, len(good))
		}
	}
	if _, err := decodeObjects(append(bytes.Clone(good), 1)); err == nil {
		t.Error("objects with a byte after them are read")
	}
	if _, err := decodeObjects(encodeObjects([]Object{{Name: "a", Kernels: []string{"k", "k"}}})); err == nil {
		t.Error("objects that define a kernel twice are read")
	}
	if _, err := decodeObjects([]byte{255, 255, 255, 255}); err == nil {
		t.Error("four thousand million objects in no bytes are read")
	}
}

// FuzzDecode damages sections behind valid checksums, so that their readers see it.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, sample()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := Decode(resum(data)); err == nil && b.Plan.Check(b.Kernels()) != nil {
			t.Error("a plan that does not pass its check is decoded")
		}
	})
}

// resum makes the checksums of a damaged file fit where its structure allows.
func resum(data []byte) []byte {
	if len(data) < headerSize {
		return data
	}
	data = bytes.Clone(data)
	n := int(le.Uint32(data[12:]))
	if n < 1 || n > maxSections || len(data) < headerSize+n*entrySize {
		return data
	}
	le.PutUint64(data[16:], uint64(len(data)))
	table := data[headerSize : headerSize+n*entrySize]
	at := headerSize + len(table)
	for e := table; len(e) > 0; e = e[entrySize:] {
		size := le.Uint64(e[nameSize+8:])
		if size > uint64(len(data)-at) {
			return data
		}
		le.PutUint64(e[nameSize:], uint64(at))
		sum := header([]section{{"", data[at : at+int(size)]}})[headerSize+nameSize+16:]
		copy(e[nameSize+16:entrySize], sum)
		at += int(size)
	}
	sum := headerSum(data[:24], table)
	copy(data[24:headerSize], sum[:])
	return data
}
