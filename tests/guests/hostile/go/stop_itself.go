// expect: TLE
// attack: T12 stop_itself: stops, and is continued by a child after the limit
// control: wall_limit
package main

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	script := fmt.Sprintf("sleep 1.2; kill -CONT %d", syscall.Getpid())
	if err := exec.Command("/bin/sh", "-c", script).Start(); err != nil {
		panic(err)
	}
	begun := time.Now()
	syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	// Another thread may have been given the signal, and this one goes on for a moment.
	for time.Since(begun) < 1100*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ESCAPED was stopped for 1.2 s")
}
