package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Pin holds every thread of this process to the CPUs listed as "0,1", or to the last of those
// it is allowed. Threads made later inherit it.
func Pin(threads int, list string) error {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("cannot read the allowed CPUs: %w", err)
	}
	var have []int
	for i := range 1024 {
		if allowed.IsSet(i) {
			have = append(have, i)
		}
	}
	if threads > len(have) {
		return fmt.Errorf("--threads %d, but only %d CPUs are allowed", threads, len(have))
	}
	use := have[len(have)-threads:]
	if list != "" {
		use = nil
		for _, s := range strings.Split(list, ",") {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n >= 1024 || !allowed.IsSet(n) {
				return fmt.Errorf("--cpus %s: expected some of %v", list, have)
			}
			use = append(use, n)
		}
	}
	var set unix.CPUSet
	for _, n := range use {
		set.Set(n)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("cannot pin to CPUs %v: %w", use, err)
		}
	}
	return nil
}

// cpuTime is what all threads of the process have used.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
