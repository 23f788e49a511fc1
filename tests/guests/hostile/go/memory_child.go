// expect: MLE
// attack: T16 memory_child: a pipeline of children eats, and the parent hides their death behind exit code 0
// control: memory_limit
package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"
)

func main() {
	output, _ := exec.Command("/bin/sh", "-c", "head -c 320M /dev/zero | tail -n 1 | wc -c").Output()
	if strings.TrimSpace(string(output)) == fmt.Sprint(320<<20) {
		fmt.Println("ESCAPED children held 320 MiB")
	}
	time.Sleep(500 * time.Millisecond)
}
