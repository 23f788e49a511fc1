// expect: AC
// attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
// control: private_mounts
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, place := range []string{"/tmp", "/dev/shm", "/box"} {
		marker := place + "/marker-of-go"
		if content, err := os.ReadFile(marker); err == nil {
			fmt.Println("ESCAPED found", marker, string(content))
		}
		if err := os.WriteFile(marker, []byte("left by an earlier run"), 0o666); err != nil {
			panic(err)
		}
	}
}
