// expect: AC
// attack: T23 descriptors: looks for descriptors that the jail forgot to close
// control: closed_descriptors
package main

import (
	"fmt"
	"syscall"
)

func main() {
	for fd := 3; fd < 64; fd++ {
		var facts syscall.Stat_t
		// The runtime has queues of its own; files, directories, pipes and sockets would be ours.
		if syscall.Fstat(fd, &facts) == nil && facts.Mode&syscall.S_IFMT != 0 {
			fmt.Println("ESCAPED was given", fd, facts.Ino)
		}
	}
}
