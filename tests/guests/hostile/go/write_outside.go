// expect: AC
// attack: T7 write_outside: makes temporary files where every later run would see them
// control: read_only_root
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, place := range []string{"/", "/etc", "/dev", "/usr/bin", "/usr/lib", "/lib", "/opt", "/proc", "/proc/self"} {
		if file, err := os.CreateTemp(place, "planted"); err == nil {
			fmt.Println("ESCAPED wrote", file.Name())
		}
	}
}
