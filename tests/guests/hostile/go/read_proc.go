// expect: AC
// attack: T29 read_proc: learns about the machine and its other processes
// control: proc_subset
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	for _, pattern := range []string{"/proc/cpu*", "/proc/mem*", "/proc/version*", "/proc/sys/*", "/proc/bus", "/proc/1", "/proc/k*", "/proc/acpi"} {
		matches, _ := filepath.Glob(pattern)
		for _, match := range matches {
			if _, err := os.Stat(match); err == nil {
				fmt.Println("ESCAPED found", match)
			}
		}
	}
}
