// Package checkpoint keeps the state of a training run in a folder, one safetensors file a
// step, or one a device and a manifest, so that a run killed at any moment resumes from the last
// whole one. What was written by some devices is read by any number.
package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vitc/runtime/fault"
	"vitc/runtime/safetensors"
)

// format is the version of what the metadata says; a reader refuses newer ones.
const format = 1

// The metadata keys of a checkpoint. Others are Extra, and may not begin like these.
const (
	keyPrefix  = "vitc."
	keyFormat  = keyPrefix + "format"
	keyStep    = keyPrefix + "step"
	keySeed    = keyPrefix + "seed"
	keyProgram = keyPrefix + "program"
	keySums    = keyPrefix + "crc32c"
)

// Info is what a checkpoint says of itself beside its tensors.
type Info struct {
	Step    int64             // steps done: the first that a resumed run computes
	Seed    uint64            // of the run
	Program string            // hash of the program and its parameters
	Extra   map[string]string // whatever else the run wants back
}

// metadata lays out the info, without checksums.
func (i Info) metadata() (map[string]string, error) {
	meta := map[string]string{
		keyFormat:  strconv.Itoa(format),
		keyStep:    strconv.FormatInt(i.Step, 10),
		keySeed:    strconv.FormatUint(i.Seed, 10),
		keyProgram: i.Program,
	}
	for _, key := range slices.Sorted(maps.Keys(i.Extra)) {
		if strings.HasPrefix(key, keyPrefix) {
			return nil, &fault.Error{Msg: "reserved name in a checkpoint's extra metadata", Expected: "one that does not begin with " + keyPrefix, Found: key}
		}
		meta[key] = i.Extra[key]
	}
	return meta, nil
}

// parseInfo reads the info back; path stands in errors.
func parseInfo(path string, meta map[string]string) (Info, error) {
	if err := checkFormat(path, meta[keyFormat]); err != nil {
		return Info{}, err
	}
	info := Info{Program: meta[keyProgram], Extra: map[string]string{}}
	var err error
	if info.Step, err = strconv.ParseInt(meta[keyStep], 10, 64); err != nil || info.Step < 0 {
		return Info{}, damaged(path, "a step", strconv.Quote(meta[keyStep]))
	}
	if info.Seed, err = strconv.ParseUint(meta[keySeed], 10, 64); err != nil {
		return Info{}, damaged(path, "a seed", strconv.Quote(meta[keySeed]))
	}
	for key, value := range meta {
		if !strings.HasPrefix(key, keyPrefix) {
			info.Extra[key] = value
		}
	}
	return info, nil
}

// newerError marks a checkpoint that this version cannot read: a reason to stop, not to
// fall back to an older one.
type newerError struct{ error }

func checkFormat(path, text string) error {
	if text == "" {
		return &fault.Error{Where: path, Msg: "not a checkpoint of a run", Expected: "metadata " + keyFormat, Found: "none", Fix: "weights are read by `load` in a start block"}
	}
	version, err := strconv.Atoi(text)
	switch {
	case err != nil || version < 1:
		return damaged(path, "a format of 1 or more", strconv.Quote(text))
	case version > format:
		return newerError{&fault.Error{Where: path, Msg: "written by a newer vitc", Expected: fmt.Sprintf("format %d", format), Found: text, Fix: "resume with that version"}}
	}
	return nil
}

func damaged(path, expected, found string) error {
	return &fault.Error{Where: path, Msg: "damaged checkpoint", Expected: expected, Found: found, Fix: "remove it; the one before it will be used"}
}

// maxListed is how many differing tensors an error names.
const maxListed = 4

// match compares a checkpoint's tensors with those a model has.
func match(path string, have []safetensors.Info, want []safetensors.Tensor) error {
	found := make(map[string]string, len(have))
	for _, t := range have {
		found[t.Name] = t.String()
	}
	var lines []string
	for _, t := range want {
		model := safetensors.TypeString(t.DType, t.Shape)
		switch file, ok := found[t.Name]; {
		case !ok:
			lines = append(lines, fmt.Sprintf("%s: model %s, checkpoint none", t.Name, model))
		case file != model:
			lines = append(lines, fmt.Sprintf("%s: model %s, checkpoint %s", t.Name, model, file))
		}
		delete(found, t.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		lines = append(lines, fmt.Sprintf("%s: model none, checkpoint %s", name, found[name]))
	}
	if len(lines) == 0 {
		return nil
	}
	msg := fmt.Sprintf("a checkpoint of another model, %d tensors differ: ", len(lines))
	if n := len(lines) - maxListed; n > 0 {
		lines = append(lines[:maxListed], fmt.Sprintf("and %d more", n))
	}
	return &fault.Error{Where: path, Msg: msg + strings.Join(lines, "; "),
		Fix: "resume with the program that wrote it, or load what fits in a start block"}
}
