// expect: SIG RE
// attack: T14 output_flood: more output than may be kept
// control: output_limit
package main

import (
	"fmt"
	"strings"
)

func main() {
	for i := 0; i < 160; i++ {
		if _, err := fmt.Print(strings.Repeat("y", 4096)); err != nil {
			panic(err)
		}
	}
	fmt.Println("\nESCAPED wrote 640 KiB")
}
