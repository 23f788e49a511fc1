// expect: AC
// attack: T25 own_limits: reads its limits and tries to raise them
// control: rlimits
package main

import (
	"fmt"
	"syscall"
)

func main() {
	const processes = 6
	for kind, expected := range map[int]uint64{syscall.RLIMIT_FSIZE: 1 << 20, processes: 1024, syscall.RLIMIT_NOFILE: 64, syscall.RLIMIT_CORE: 0} {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(kind, &limit); err != nil || limit.Max != expected {
			fmt.Println("ESCAPED limit", kind, "is", limit.Max, err)
		}
		limit.Max++
		if syscall.Setrlimit(kind, &limit) == nil {
			fmt.Println("ESCAPED raised", kind)
		}
	}
}
