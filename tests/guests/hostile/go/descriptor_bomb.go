// expect: AC
// attack: T6 descriptor_bomb: opens pipes and keeps both ends
// control: rlimits
package main

import (
	"fmt"
	"os"
)

func main() {
	var ends []*os.File
	for len(ends) < 300 {
		reader, writer, err := os.Pipe()
		if err != nil {
			return
		}
		ends = append(ends, reader, writer)
	}
	fmt.Println("ESCAPED has", len(ends), "descriptors", ends[0].Fd())
}
