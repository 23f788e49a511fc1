// expect: RE TLE MLE
// attack: T20 compile_type_bomb: a generic function that needs itself for a larger type
// alone: a compiler's bomb has no end that it could reach within a bound
package main

import "fmt"

type pair[T any] struct{ left, right T }

func grow[T any](value T, depth int) {
	if depth > 0 {
		grow(pair[T]{value, value}, depth-1)
		return
	}
	fmt.Println(value)
}

func main() {
	grow(1, 100)
}
