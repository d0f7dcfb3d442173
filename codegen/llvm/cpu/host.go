package cpu

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/cpu"
)

// Host is what a machine offers.
type Host struct {
	Arch   string // as GOARCH
	Level  Level  // the highest it runs; of amd64 only
	BF16   bool   // AVX512_BF16: dot products of bf16 pairs
	VNNI   bool   // AVX512_VNNI: dot products of int8
	L1D    int    // bytes of first-level data cache of a core
	L2, L3 int    // bytes; L3 may be shared, 0 where there is none
}

// Detect looks at the machine this process runs on.
func Detect() Host {
	h := Host{Arch: runtime.GOARCH, L1D: 32 << 10, L2: 512 << 10}
	h.readCaches("/sys/devices/system/cpu/cpu0/cache")
	x := &cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasBMI1 && x.HasBMI2 {
		h.Level = AVX2
		if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512CD {
			h.Level = AVX512
			h.BF16, h.VNNI = x.HasAVX512BF16, x.HasAVX512VNNI
		}
	}
	return h
}

// readCaches takes the sizes that Linux publishes and leaves the others as they are.
func (h *Host) readCaches(dir string) {
	indices, _ := filepath.Glob(filepath.Join(dir, "index*"))
	for _, d := range indices {
		read := func(name string) string {
			b, _ := os.ReadFile(filepath.Join(d, name))
			return strings.TrimSpace(string(b))
		}
		size, err := parseSize(read("size"))
		if err != nil || read("type") == "Instruction" {
			continue
		}
		switch read("level") {
		case "1":
			h.L1D = size
		case "2":
			h.L2 = size
		case "3":
			h.L3 = size
		}
	}
}

// parseSize reads 48K, 2048K, 260M.
func parseSize(s string) (int, error) {
	unit := 1
	switch {
	case strings.HasSuffix(s, "K"):
		unit = 1 << 10
	case strings.HasSuffix(s, "M"):
		unit = 1 << 20
	}
	n, err := strconv.Atoi(strings.TrimRight(s, "KM"))
	if err != nil || n <= 0 || n > 1<<40/unit {
		return 0, fmt.Errorf("cache size %q: expected a number with K or M", s)
	}
	return n * unit, nil
}

// CanRun returns an error unless code of a level runs on h.
func (h Host) CanRun(l Level) error {
	switch {
	case !l.Valid():
		return fmt.Errorf("built for an instruction set level this vitc does not know (%v)", l)
	case h.Arch != "amd64":
		return fmt.Errorf("built for %v of amd64, this machine is %s; fix: build again on this machine", l, h.Arch)
	case l > h.Level:
		return fmt.Errorf("built for %v, this CPU has %v; fix: build again with --isa %v, or on this machine", l, h.Level, h.Level)
	}
	return nil
}

// Levels returns the levels that h runs, the least first.
func (h Host) Levels() []Level {
	var out []Level
	for _, l := range Levels() {
		if h.CanRun(l) == nil {
			out = append(out, l)
		}
	}
	return out
}

// String describes the machine in a line, for doctor.
func (h Host) String() string {
	s := fmt.Sprintf("%s, %v", h.Arch, h.Level)
	if h.BF16 {
		s += " + bf16"
	}
	if h.VNNI {
		s += " + vnni"
	}
	return s + fmt.Sprintf(", L1d %d KiB, L2 %d KiB, L3 %d KiB", h.L1D>>10, h.L2>>10, h.L3>>10)
}
