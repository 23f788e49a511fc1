// expect: AC
// attack: T11 orphan_holds_stdout: a child in a session of its own keeps the output open after the end
// control: pid_namespace
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	child := exec.Command("/usr/bin/sleep", "1000")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		panic(err)
	}
	fmt.Println("done")
}
