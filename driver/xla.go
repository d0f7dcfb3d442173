package driver

import (
	"context"
	"errors"
	"fmt"

	"vitc/codegen"
	"vitc/ir/diag"
	"vitc/runtime/pjrt"
	"vitc/runtime/pjrt/aot"
	"vitc/runtime/xla"
)

// The rows of the table of targets for programs that XLA compiles, in this process. The pipeline
// of a name is that of what stands before the colon.
var (
	xlaRow  = xlaTargetFor(xlaTarget, "XLA on this machine's CPU, through PJRT", pjrt.CPU)
	cudaRow = xlaTargetFor(xlaTarget+":cuda", "XLA on an NVIDIA GPU, through PJRT; not yet run on one", pjrt.CUDA)
)

func xlaTargetFor(name, doc string, kind pjrt.Kind) Target {
	return Target{
		Name:    name,
		Doc:     doc,
		Devices: true,
		Missing: func() error {
			_, err := pjrt.Find(kind)
			return missingPlugin(err)
		},
		open: func(b *Built, o MachineOptions) (codegen.Machine, error) {
			if err := tryPlugin(kind); err != nil {
				return nil, err
			}
			m, err := xla.Open(b.Program, xla.Options{Plugin: kind, Threads: o.Threads})
			return m, xlaRefused(missingPlugin(cannotEmit(err)))
		},
	}
}

// tryPlugin has a child process load a plugin and connect to its devices before this one does: a
// plugin that is broken then ends the child, and what it said is shown.
func tryPlugin(kind pjrt.Kind) error {
	found, err := pjrt.Find(kind)
	if err != nil {
		return missingPlugin(err)
	}
	err = aot.Try(context.Background(), &aot.Trial{Plugin: found.Path})
	var died *aot.DiedError
	var refused *aot.RefusedError
	switch {
	case errors.As(err, &died):
		return pluginDied("the PJRT plugin", "to load and to connect to its devices", "another version of the plugin; vitc doctor shows which is used", died)
	case errors.As(err, &refused) && refused.Stage == aot.StageConnect:
		return &diag.Diagnostic{Code: CodeNoPlugin, Msg: fmt.Sprintf("the PJRT plugin finds no devices for %s: %s", kind.Doc, firstLine(refused.Msg)), Pos: diag.Pos{File: found.Path},
			Fix: "--target " + xlaTarget + " runs on this machine's CPU"}
	case errors.As(err, &refused):
		return &diag.Diagnostic{Code: CodeNoPlugin, Msg: "the PJRT plugin cannot be used: " + firstLine(refused.Msg), Fix: refused.Fix}
	}
	return err
}

// xlaRefused makes a diagnostic of what a plugin complains about, at the line that it names.
func xlaRefused(err error) error {
	var unusable *pjrt.LoadError
	var refused *pjrt.Error
	var few *xla.FewDevicesError
	switch {
	case errors.As(err, &few):
		return &diag.Diagnostic{Code: CodePlan, Msg: few.Error(), Fix: fmt.Sprintf("--devices %d; or --target %s, which makes devices of this machine's CPU", few.Have, xlaTarget)}
	case errors.As(err, &unusable):
		return &diag.Diagnostic{Code: CodeNoPlugin, Msg: "the PJRT plugin cannot be used: " + firstLine(unusable.Msg), Pos: diag.Pos{File: unusable.Path}, Fix: unusable.Fix}
	case errors.As(err, &refused):
		return &diag.Diagnostic{Code: CodeXLA, Msg: fmt.Sprintf("XLA refused the program: %s", firstLine(err.Error())), Pos: refused.Pos(),
			Fix: "--target ref runs it, slowly"}
	}
	return err
}

// PluginFacts says which PJRT plugin of a kind is used, or where it was looked for.
type PluginFacts struct {
	Kind    string   `json:"kind"`
	Doc     string   `json:"doc"`
	Path    string   `json:"path,omitempty"` // "": none was found
	Version string   `json:"version,omitempty"`
	From    string   `json:"from,omitempty"`
	Looked  []string `json:"looked,omitempty"`
	Fix     string   `json:"fix,omitempty"`
}

// pluginFacts looks for a plugin of each kind, and loads none.
func pluginFacts() []PluginFacts {
	var facts []PluginFacts
	for _, k := range pjrt.Kinds() {
		f := PluginFacts{Kind: k.Name, Doc: k.Doc}
		found, err := pjrt.Find(k)
		var none *pjrt.NotFoundError
		if errors.As(err, &none) {
			f.Fix = none.Fix()
			for _, l := range none.Looked {
				f.Looked = append(f.Looked, l.Path+": "+l.Result)
			}
		} else {
			f.Path, f.Version, f.From = found.Path, found.Version, found.From
		}
		facts = append(facts, f)
	}
	return facts
}
