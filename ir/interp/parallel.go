package interp

import (
	"runtime"
	"sync"
)

// parallel calls f on ranges that together are 0..n, each but the last a multiple of grain.
// The calls must be independent of each other: then the result is the same whatever the number
// of threads.
func parallel(n, grain int, f func(lo, hi int)) {
	pieces := min(runtime.GOMAXPROCS(0), (n+grain-1)/grain)
	if pieces <= 1 {
		f(0, n)
		return
	}
	size := ((n+pieces-1)/pieces + grain - 1) / grain * grain
	var wg sync.WaitGroup
	for lo := 0; lo < n; lo += size {
		wg.Go(func() { f(lo, min(lo+size, n)) })
	}
	wg.Wait()
}
