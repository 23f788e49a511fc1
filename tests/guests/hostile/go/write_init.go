// expect: AC
// attack: T31 write_init: opens what /proc shows of process 1
// alone: several controls: the user id, hidden processes, and a root of its own
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, name := range []string{"mem", "comm", "oom_score_adj", "maps", "environ", "clear_refs", "fd/0", "root", "task/1/mem"} {
		for _, mode := range []int{os.O_RDWR, os.O_RDONLY} {
			if _, err := os.OpenFile("/proc/1/"+name, mode, 0); err == nil {
				fmt.Println("ESCAPED opened", name)
			}
		}
	}
}
