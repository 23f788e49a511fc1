// expect: PLE
// attack: T8 process_bomb: starts children in sessions of their own
// control: process_limit
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	for i := 0; i < 40; i++ {
		child := exec.Command("/usr/bin/sleep", "100")
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			os.Exit(1)
		}
	}
	fmt.Println("ESCAPED has 40 children")
}
