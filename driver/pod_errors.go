package driver

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

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

// cannotCompile makes a diagnostic of what became of a compile child.
func (pod *PodProgram) cannotCompile(err error) error {
	var refused *aot.RefusedError
	var died *aot.DiedError
	switch {
	case errors.As(err, &died):
		d := &diag.Diagnostic{Code: CodePluginDied, Msg: "the TPU compiler took its process down: " + died.How,
			Expected: died.Plugin + " to compile or to say why not", Fix: "look at what LIBTPU_INIT_ARGS and the TPU_ variables of the environment say; vitc doctor shows the plugin"}
		for line := range strings.Lines(died.Words) {
			d.Notes = append(d.Notes, diag.Note{Text: "it said: " + strings.TrimSpace(line)})
		}
		return d
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

// needed is what the TPU compiler says of a program that is too large.
var needed = regexp.MustCompile(`Used ([0-9.]+)G of ([0-9.]+)G hbm`)

// exhausted is the error of a program that the devices cannot hold, by the compiler's own plan of
// memory.
func (pod *PodProgram) exhausted(msg string) error {
	d := &diag.Diagnostic{Code: CodePlanMemory, Msg: fmt.Sprintf("%s does not fit %s under the plan %s", pod.Program.Name, pod.Topology.Target(), pod.Plan.Name), Pos: pod.Plan.Pos}
	f := &Footprint{Capacity: pod.Topology.Chip.HBM, Peak: pod.Topology.Chip.HBM + 1}
	f.Kept = f.Peak // all but a little of what is too much
	if m := needed.FindStringSubmatch(msg); m != nil {
		used, _ := strconv.ParseFloat(m[1], 64) // the pattern lets numbers through only
		room, _ := strconv.ParseFloat(m[2], 64)
		const g = 1 << 30
		d.Label = fmt.Sprintf("%s too much on each device", gib(int64((used-room)*g)))
		d.Expected = fmt.Sprintf("at most %s; found %s, by the TPU compiler", gib(int64(room*g)), gib(int64(used*g)))
	} else {
		d.Notes = append(d.Notes, diag.Note{Text: "the TPU compiler says: " + firstLine(msg)})
	}
	d.Fix = strings.Join(f.tries(pod.Program, pod.Plan), "; or ")
	return d
}
