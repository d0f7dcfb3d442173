package driver

import (
	"runtime"
	"runtime/debug"

	"vitc/codegen"
	"vitc/lang"
)

// Version is the version of vitc, by semantic versioning.
const Version = "0.1.0"

// VersionInfo is what `vitc version` reports.
type VersionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, where the build recorded it
	Modified bool   `json:"modified,omitempty"` // the source had changes beside it
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Edition  int    `json:"edition"` // of the language
	Bundle   int    `json:"bundle"`  // version of the bundle format
}

// ReadVersion tells what this binary was built from.
func ReadVersion() VersionInfo {
	v := VersionInfo{Version: Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Edition: lang.Edition, Bundle: codegen.Version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
