// expect: RE TLE MLE
// attack: T17 T20 compile_large_number: constants of a million digits
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
