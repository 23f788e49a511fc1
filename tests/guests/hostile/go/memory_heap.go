// expect: MLE
// attack: T16 memory_heap: a tree that grows
// control: memory_limit
package main

import "fmt"

type node struct {
	left, right *node
	values      [12]uint64
}

func grow(depth int) *node {
	if depth == 0 {
		return nil
	}
	return &node{left: grow(depth - 1), right: grow(depth - 1), values: [12]uint64{1, 2, 3}}
}

func count(tree *node) int {
	if tree == nil {
		return 0
	}
	return 1 + count(tree.left) + count(tree.right)
}

func main() {
	tree := grow(21)
	fmt.Println("ESCAPED holds", count(tree), "nodes")
}
