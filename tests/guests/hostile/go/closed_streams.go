// expect: AC
// attack: T13 closed_streams: closes its streams and prints
// alone: it attacks the supervisor, which has no part that could be left out
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	for fd := 0; fd < 3; fd++ {
		syscall.Close(fd)
	}
	fmt.Println("text for nobody")
	fmt.Fprintln(os.Stderr, "text for nobody")
}
