// expect: SIG
// attack: T9 kill_everything: kills init and every process that it can see, itself last
// alone: without a pid namespace it would end the host's processes
package main

import "syscall"

func main() {
	for _, pid := range []int{1, -1, 0, syscall.Getpid()} {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	select {}
}
