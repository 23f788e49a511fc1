// expect: AC
// attack: T1 T2 planted_links: replaces its own program and the names that the host writes with links out of the box
// control: read_only_root
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	os.Remove("/box/solution")
	for name, target := range map[string]string{"solution": "/etc/passwd", "stdin": "/", "solution.go": "/proc/1/root"} {
		if err := os.Symlink(target, "/box/"+name); err != nil {
			panic(err)
		}
	}
	if os.Link("/usr/bin/env", "/box/env") == nil || os.Rename("/box", "/tmp/box") == nil || os.RemoveAll("/box") == nil {
		fmt.Println("ESCAPED changed what is the host's")
	}
	if os.Symlink("/", "/planted") == nil {
		fmt.Println("ESCAPED planted a link beside the box")
	}
	syscall.Chroot("/tmp")
}
