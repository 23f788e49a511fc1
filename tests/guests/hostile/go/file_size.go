// expect: FSE RE SIG
// attack: T6 file_size: one file larger than the limit
// control: rlimits
package main

import (
	"fmt"
	"os"
)

func main() {
	file, err := os.Create("big")
	if err != nil {
		panic(err)
	}
	for i := 0; i < 64; i++ {
		if _, err := file.Write(make([]byte, 65536)); err != nil {
			panic(err)
		}
	}
	fmt.Println("ESCAPED made a file of 4 MiB")
}
