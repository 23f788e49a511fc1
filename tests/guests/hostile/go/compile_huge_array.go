// expect: RE MLE SIG
// attack: T6 T20 compile_huge_array: a variable larger than any address space
// alone: a compiler's bomb has no end that it could reach within a bound
package main

import "fmt"

var block [1 << 49]byte

func main() {
	block[1<<48] = 1
	fmt.Println(len(block))
}
