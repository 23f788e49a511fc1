// expect: RE TLE MLE
// attack: T17 T20 compile_large_number: constants of a million digits
// alone: a compiler's bomb has no end that it could reach within a bound
package main

import "fmt"

const (
	a = 1 << 500
	b = a * a
	c = b*b - 1
	d = c * c * c * c
	e = d * d * d * d
)

func main() {
	fmt.Println(e%7, "%", d)
}
