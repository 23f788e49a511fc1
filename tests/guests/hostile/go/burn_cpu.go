// expect: TLE
// attack: T9 T17 burn_cpu: computes without end, deaf to every signal that can be caught
// control: cpu_limit
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func usedMs() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1e6
}

func main() {
	signal.Notify(make(chan os.Signal, 1))
	sum := uint64(0)
	for usedMs() < 700 {
		for i := uint64(0); i < 1e6; i++ {
			sum = sum*31 + i
		}
	}
	fmt.Println("ESCAPED burnt 0.7 s of CPU time", sum)
}
