// expect: TLE
// attack: T12 stop_itself: stops, and is continued by a child after the limit
// control: wall_limit
package main

import (
	"fmt"
	"os/exec"
	"syscall"
)

func main() {
	script := fmt.Sprintf("sleep 2.4; kill -CONT %d", syscall.Getpid())
	if err := exec.Command("/bin/sh", "-c", script).Start(); err != nil {
		panic(err)
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	fmt.Println("ESCAPED was stopped for 2.4 s")
}
