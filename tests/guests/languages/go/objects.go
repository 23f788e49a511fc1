package main

import "fmt"
import "strconv"

func main() { fmt.Println("before"); var all []string; for i := 0; ; i++ { all = append(all, strconv.Itoa(i)) } }
