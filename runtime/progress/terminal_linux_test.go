package progress

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo-terminal of a width: what is written to tty is read from screen.
func terminal(t *testing.T, width uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

// show runs two steps and a warning on a terminal of 60 columns.
func show(t *testing.T) string {
	screen, tty := terminal(t, 60)
	p := New(Options{Out: tty, Name: "fashion", Total: 1000, Batch: 128})
	p.Step(1, 0.5)
	p.Warn("careful")
	p.Step(2, 0.25)
	p.Finish()
	b := make([]byte, 4096)
	n, err := screen.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestTerminalGetsABar(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	out := show(t)
	if !strings.Contains(out, "\r   0% |") || !strings.Contains(out, "\x1b[33mwarning: careful\x1b[0m") {
		t.Errorf("no bar: %q", out)
	}
	for _, row := range rows(out) {
		if len([]rune(row)) > 60 {
			t.Errorf("wider than the terminal: %q", row)
		}
	}
}

func TestNoColor(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	if out := show(t); !strings.Contains(out, "\r   0% |") || strings.Contains(out, "m"+"warning") || strings.Contains(out, "\x1b[33m") {
		t.Errorf("coloured: %q", out)
	}
}

func TestDumbTerminalGetsLines(t *testing.T) {
	t.Setenv("TERM", "dumb")
	if out := show(t); strings.Contains(out, "\x1b") || !strings.HasPrefix(out, "fashion: step 1/1000") {
		t.Errorf("%q", out)
	}
}
