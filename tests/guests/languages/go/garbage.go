package main

import "fmt"

func main() { n := 0; for k := 0; k < 60; k++ { var x []*[4]int; for i := 0; i < 100000; i++ { x = append(x, new([4]int)) }; n += len(x) }; if n == 6000000 { fmt.Println("ok") } }
