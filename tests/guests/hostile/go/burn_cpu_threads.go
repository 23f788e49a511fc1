// expect: TLE
// attack: T17 burn_cpu_threads: eight goroutines on threads of their own share the work
// control: cpu_limit
package main

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
)

func usedMs() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1e6
}

func main() {
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			for usedMs() < 700 {
			}
		}()
	}
	group.Wait()
	fmt.Println("ESCAPED burnt 0.7 s of CPU time in eight threads")
}
