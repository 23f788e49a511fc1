// expect: RE TLE MLE
// attack: T20 compile_type_sizes: arrays of arrays, each a thousand times the one before
// alone: a compiler's bomb has no end that it could reach within a bound
package main

import "fmt"

type (
	a [1000]int64
	b [1000]a
	c [1000]b
	d [1000]c
	e [1000]d
	f [1000]e
)

func main() {
	var value f
	copied := value
	fmt.Println(len(copied))
}
