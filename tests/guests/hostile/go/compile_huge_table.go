// expect: RE
// attack: T6 T20 compile_huge_table: a small source becomes a large program
// control: rlimits
package main

import "fmt"

var table = [40 << 20]byte{0: 1, 40<<20 - 1: 2}

func main() {
	for i := range table {
		table[0] += table[i]
	}
	fmt.Println("ESCAPED the program has", len(table), "bytes", table[0])
}
