// expect: AC
// attack: T29 environment: looks for credentials in its own environment and in that of process 1
// control: clean_environment
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name != "PATH" && name != "HOME" && name != "LANG" && !strings.HasPrefix(name, "GO") {
			fmt.Println("ESCAPED found", entry)
		}
	}
	if content, err := os.ReadFile("/proc/1/environ"); err == nil {
		fmt.Println("ESCAPED read", string(content))
	}
}
