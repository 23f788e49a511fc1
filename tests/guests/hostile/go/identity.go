// expect: AC
// attack: T22 T29 identity: is it root, in a group of the host, or able to become either
// control: unprivileged_user
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	if os.Getuid() == 0 || os.Geteuid() == 0 || os.Getgid() == 0 {
		fmt.Println("ESCAPED is root")
	}
	if groups, err := os.Getgroups(); err != nil || len(groups) > 0 {
		fmt.Println("ESCAPED is in", groups, err)
	}
	if syscall.Setuid(0) == nil || syscall.Setgid(0) == nil || syscall.Setgroups([]int{0}) == nil {
		fmt.Println("ESCAPED became root")
	}
}
