// expect: PLE
// attack: T8 thread_bomb: goroutines that block a thread each; the runtime gives up with exit code 2
// control: process_limit
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	started := make(chan bool)
	for i := 0; i < 60; i++ {
		go func() {
			var ends [2]int
			syscall.Pipe(ends[:])
			started <- true
			syscall.Select(0, nil, nil, nil, nil)
		}()
		<-started
	}
	for {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			panic(err)
		}
		if len(entries) > 60 {
			fmt.Println("ESCAPED has 60 threads")
			return
		}
	}
}
