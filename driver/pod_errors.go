package driver

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"vitc/codegen"
	"vitc/ir/diag"
	"vitc/ir/topology"
	"vitc/runtime/pjrt"
	"vitc/runtime/pjrt/aot"
)

// missingPlugin is the error of a machine without the TPU compiler.
func missingPlugin(err error) error {
	var none *pjrt.NotFoundError
	if !errors.As(err, &none) {
		return err
	}
	d := &diag.Diagnostic{Code: CodeNoPlugin, Msg: fmt.Sprintf("no PJRT plugin for %s found", none.Kind.Doc), Fix: none.Fix()}
	for _, l := range none.Looked {
		d.Notes = append(d.Notes, diag.Note{Text: fmt.Sprintf("looked at %s: %s", l.Path, l.Result)})
	}
	return d
}

// pluginDied makes a diagnostic of a plugin that took its process down, with its last words.
func pluginDied(who, expected, fix string, died *aot.DiedError) error {
	d := &diag.Diagnostic{Code: CodePluginDied, Msg: who + " took its process down: " + died.How, Expected: died.Plugin + " " + expected, Fix: fix}
	for line := range strings.Lines(died.Words) {
		d.Notes = append(d.Notes, diag.Note{Text: "it said: " + strings.TrimSpace(line)})
	}
	return d
}

// cannotCompile makes a diagnostic of what became of a compile child.
func (pod *PodProgram) cannotCompile(err error) error {
	var refused *aot.RefusedError
	var died *aot.DiedError
	switch {
	case errors.As(err, &died):
		return pluginDied("the TPU compiler", "to compile or to say why not", "look at what LIBTPU_INIT_ARGS and the TPU_ variables of the environment say; vitc doctor shows the plugin", died)
	case !errors.As(err, &refused):
		return err
	case refused.Stage == aot.StageLoad:
		return &diag.Diagnostic{Code: CodeNoPlugin, Msg: "the TPU compiler cannot be used: " + firstLine(refused.Msg), Fix: refused.Fix}
	case refused.Stage == aot.StageTopology:
		return &diag.Diagnostic{Code: topology.CodeTopology, Msg: "the TPU compiler does not know these devices: " + firstLine(refused.Msg), Pos: pod.Plan.Devices.Pos,
			Fix: "a topology that exists: vitc check --target lists chips and their largest"}
	case refused.Code == pjrt.ResourceExhausted:
		return pod.exhausted(refused.Msg)
	}
	return &diag.Diagnostic{Code: CodeXLA, Msg: "the TPU compiler refused the program: " + firstLine(refused.Msg), Pos: refused.Pos(),
		Fix: "--emit stablehlo writes what it was given"}
}

// notHere is the error of running a bundle that was compiled ahead of time: what it is, and what
// can be done with it.
func notHere(path string, b *codegen.Bundle) error {
	d := &diag.Diagnostic{Code: CodeCPU, Msg: fmt.Sprintf("the bundle is compiled for %s and runs on no device of this machine", b.Target), Pos: diag.Pos{File: path},
		Fix: fmt.Sprintf("vitc report %s says what the compiler made of it; vitc run of the program it was built from trains here", path)}
	holds := fmt.Sprintf("it holds one training step of %s", b.Program.Name)
	if plan := b.Program.Chosen(); plan != nil {
		holds += fmt.Sprintf(" under the plan %s for %d devices", plan.Name, plan.Mesh.Devices())
	}
	attached := "no TPU is attached to this machine"
	if devices, _ := filepath.Glob("/dev/accel*"); len(devices) > 0 { // the pattern is well formed
		attached = "vitc compiles for TPUs and does not drive them"
	}
	d.Notes = []diag.Note{{Text: holds + ": StableHLO, how it was compiled, and an executable of " + b.ISA}, {Text: attached}}
	return d
}

// tooLarge is what the TPU compiler says of a program that is too large: bytes needed, and there
// are.
var tooLarge = regexp.MustCompile(`\(([0-9.]+)([KMGT])\) exceeds available HBM \(([0-9.]+)([KMGT])\)`)

// binary are the units it counts in.
var binary = map[string]float64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

// exhausted is the error of a program that the devices cannot hold, by the compiler's own plan of
// memory.
func (pod *PodProgram) exhausted(msg string) error {
	d := &diag.Diagnostic{Code: CodePlanMemory, Msg: fmt.Sprintf("%s does not fit %s under the plan %s", pod.Program.Name, pod.Topology.Target(), pod.Plan.Name), Pos: pod.Plan.Pos}
	f := &Footprint{Capacity: pod.Topology.Chip.HBM, Peak: pod.Topology.Chip.HBM + 1}
	f.Kept = f.Peak // all but a little of what is too much
	if m := tooLarge.FindStringSubmatch(msg); m != nil {
		need, room := inBytes(m[1], m[2]), inBytes(m[3], m[4])
		d.Label = fmt.Sprintf("%s too much on each device", gib(need-room))
		d.Expected = fmt.Sprintf("at most %s at one time beside the program and its arguments; found %s, by the TPU compiler", gib(room), gib(need))
	} else {
		d.Notes = append(d.Notes, diag.Note{Text: "the TPU compiler says: " + firstLine(msg)})
	}
	d.Fix = strings.Join(f.tries(pod.Program, pod.Plan), "; or ")
	return d
}

// inBytes reads what tooLarge has matched.
func inBytes(number, unit string) int64 {
	x, _ := strconv.ParseFloat(number, 64) // a number without a sign: 0 where there is more than one point
	return int64(x * binary[unit])
}
