// expect: AC
// attack: T8 T31 other_processes: looks for processes that are not its own, by number
// control: pid_namespace
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if os.Getppid() != 1 {
		fmt.Println("ESCAPED the parent is", os.Getppid())
	}
	for pid := 2; pid < 300; pid++ {
		err := syscall.Kill(pid, 0)
		// Its own threads answer to their numbers.
		_, own := os.Stat(fmt.Sprintf("/proc/self/task/%d", pid))
		if err != syscall.ESRCH && own != nil {
			fmt.Println("ESCAPED found process", pid)
		}
	}
}
