// Package aot compiles StableHLO programs ahead of time, for machines that are not there: by a
// plugin that describes topologies, which libtpu does, in a child process. A plugin is vendor
// code that may abort, read flags of the environment, or leave threads and locks behind; in a
// child none of this touches the compiler, and a compile of minutes can be called off. For the
// same reason a plugin that is to run programs in this process can be tried in a child first.
package aot

import (
	"fmt"
	"strings"

	"vitc/ir/diag"
	"vitc/runtime/pjrt"
)

// Request says what to compile, by which plugin, for which machine.
type Request struct {
	Plugin          string // the plugin's file
	Topology        string // v4:8x8x16
	TopologyOptions []pjrt.Attribute
	Devices         int // that the topology is expected to have
	Program         []byte
	Compile         pjrt.CompileOptions
}

// Trial says which plugin to connect to.
type Trial struct {
	Plugin  string           // the plugin's file
	Options []pjrt.Attribute // of its client
}

// Result is a compiled program.
type Result struct {
	Plugin     string // the platform's version, as the plugin tells it
	Serialized []byte // what a client of the same plugin loads and runs
	Optimized  []byte // the scheduled program, an HloModuleProtoWithConfig
	Memory     pjrt.Memory
	Costs      []pjrt.Attribute
	Seconds    float64 // that the compiler took
}

// The stages at which a plugin may refuse.
const (
	StageLoad     = "load"
	StageConnect  = "connect" // to its devices
	StageTopology = "topology"
	StageCompile  = "compile"
	StageRead     = "read" // what was compiled
)

// RefusedError is what a plugin says to a request.
type RefusedError struct {
	Stage string
	Code  pjrt.Code // 0 where the stage is StageLoad
	Msg   string
	Fix   string
}

func (e *RefusedError) Error() string { return e.Stage + ": " + strings.TrimSpace(e.Msg) }

// Pos is the line of the .vit program that the message names, if it names one.
func (e *RefusedError) Pos() diag.Pos { return pjrt.Place(e.Msg) }

// DiedError is a child that ended without an answer: the plugin took its process down.
type DiedError struct {
	Plugin string
	How    string // exit status 1, signal: aborted
	Words  string // the last lines of its stderr
}

func (e *DiedError) Error() string {
	s := fmt.Sprintf("the process with %s ended: %s", e.Plugin, e.How)
	if e.Words != "" {
		s += "\n" + e.Words
	}
	return s
}
