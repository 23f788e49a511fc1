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
	script := fmt.Sprintf("sleep 2.4; kill -CONT %d", syscall.Getpid())
	if err := exec.Command("/bin/sh", "-c", script).Start(); err != nil {
		panic(err)
	}
	begun := time.Now()
	syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	// Another thread may have been given the signal, and this one goes on for a moment.
	for time.Since(begun) < 2300*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ESCAPED was stopped for 2.4 s")
}
