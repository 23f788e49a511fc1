// expect: RE MLE
// attack: T20 deep_recursion: a stack that grows until the runtime or the kernel ends it
// alone: it meets the stack's own end, in a jail or not
package main

import "fmt"

func depth(level int) int {
	var frame [64]int
	frame[level%64] = level
	return depth(level+1) + frame[0]
}

func main() {
	fmt.Println(depth(0))
}
