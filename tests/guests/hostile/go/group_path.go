// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups
// control: cgroup_namespace
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	groups, err := os.Open("/proc/self/cgroup")
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(groups); lines.Scan(); {
		if strings.Contains(lines.Text(), "rustbox-") {
			fmt.Println("ESCAPED is in", lines.Text())
		}
	}
}
