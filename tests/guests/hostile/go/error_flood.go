// expect: SIG RE
// attack: T14 error_flood: the runtime's own printer on the error stream
// control: output_limit
package main

import (
	"fmt"
	"os"
)

func main() {
	for i := 0; i < 20_000; i++ {
		if _, err := fmt.Fprintln(os.Stderr, i, "this line is repeated very often"); err != nil {
			os.Exit(1)
		}
	}
	fmt.Println("ESCAPED wrote 780 KB of errors")
}
