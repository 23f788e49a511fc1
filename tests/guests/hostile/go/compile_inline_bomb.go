// expect: AC RE TLE MLE
// attack: T20 compile_inline_bomb: closures in closures, each of which is called twice
// alone: a compiler's bomb has no end that it could reach within a bound
package main

import "fmt"

func twice(f func(int) int) func(int) int { return func(x int) int { return f(f(x)) } }

func main() {
	f := func(x int) int { return x + 1 }
	g := twice(twice(twice(twice(twice(twice(twice(twice(f))))))))
	h := twice(twice(twice(twice(twice(twice(twice(twice(g))))))))
	fmt.Println(h(0))
}
