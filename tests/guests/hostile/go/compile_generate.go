// expect: AC
// attack: T22 compile_generate: commands in comments, which a build tool might carry out
// alone: the toolchain is called without its build tool, which alone would obey
package main

import (
	"fmt"
	"os"
)

//go:generate sh -c "echo ESCAPED > /box/generated"
//go:debug madvdontneed=1

func main() {
	if content, err := os.ReadFile("/box/generated"); err == nil {
		fmt.Println(string(content))
	}
}
