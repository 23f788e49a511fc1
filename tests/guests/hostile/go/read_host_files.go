// expect: AC
// attack: T5 read_host_files: reads what is the host's
// control: mount_namespace
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, path := range []string{"/etc/passwd", "/etc/shadow", "/etc/hostname", "/proc/1/environ", "/dev/mem", "/var/lib/dpkg/status"} {
		if content, err := os.ReadFile(path); err == nil && len(content) > 0 {
			fmt.Println("ESCAPED read", path)
		}
	}
	for _, path := range []string{"/root", "/home", "/var", "/run", "/boot", "/sys/class", "/proc/1/root"} {
		if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
			fmt.Println("ESCAPED listed", path)
		}
	}
}
