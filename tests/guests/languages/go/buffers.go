package main

import "fmt"

func main() { fmt.Println("before"); var all [][]byte; for { b := make([]byte, 1<<20); for i := range b { b[i] = 1 }; all = append(all, b) } }
