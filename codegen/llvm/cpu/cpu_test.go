package cpu

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLevelNames(t *testing.T) {
	for _, l := range Levels() {
		if got, err := ParseLevel(l.String()); err != nil || got != l {
			t.Errorf("ParseLevel(%q) = %v, %v", l.String(), got, err)
		}
		if l.VectorBits() != 32*l.Lanes() {
			t.Errorf("%v: %d bits, %d lanes", l, l.VectorBits(), l.Lanes())
		}
	}
	if _, err := ParseLevel("sse9"); err == nil || !strings.Contains(err.Error(), "baseline, avx2, avx512") {
		t.Errorf("got %v, want the names that exist", err)
	}
}

func TestCanRun(t *testing.T) {
	h := Host{Arch: "amd64", Level: AVX2}
	if err := h.CanRun(AVX2); err != nil {
		t.Error(err)
	}
	if err := h.CanRun(AVX512); err == nil || !strings.Contains(err.Error(), "built for avx512, this CPU has avx2") {
		t.Errorf("got %v", err)
	}
	if err := h.CanRun(Level(7)); err == nil {
		t.Error("an unknown level runs")
	}
	if err := (Host{Arch: "arm64"}).CanRun(Baseline); err == nil || !strings.Contains(err.Error(), "arm64") {
		t.Errorf("got %v", err)
	}
	if got := h.Levels(); len(got) != 2 || got[1] != AVX2 {
		t.Errorf("Levels() = %v", got)
	}
}

func TestCaches(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct{ level, kind, size string }{
		{"1", "Data", "48K"}, {"1", "Instruction", "64K"}, {"2", "Unified", "2M"}, {"3", "Unified", "junk"},
	} {
		d := filepath.Join(dir, "index"+string(rune('0'+i)))
		os.Mkdir(d, 0o755)
		for name, v := range map[string]string{"level": c.level, "type": c.kind, "size": c.size} {
			os.WriteFile(filepath.Join(d, name), []byte(v+"\n"), 0o644)
		}
	}
	h := Host{L3: 5}
	h.readCaches(dir)
	if h.L1D != 48<<10 || h.L2 != 2<<20 || h.L3 != 5 {
		t.Errorf("got %+v", h)
	}
	for _, bad := range []string{"", "-1K", "K", "99999999999999999M"} {
		if n, err := parseSize(bad); err == nil {
			t.Errorf("parseSize(%q) = %d", bad, n)
		}
	}
}

func TestDetect(t *testing.T) {
	h := Detect()
	if h.L1D < 8<<10 || h.L2 < h.L1D {
		t.Errorf("odd caches: %v", h)
	}
	if h.BF16 && h.Level != AVX512 {
		t.Errorf("bf16 without AVX-512: %v", h)
	}
	if h.Arch == "amd64" && len(h.Levels()) == 0 {
		t.Error("an amd64 machine runs no level")
	}
}
