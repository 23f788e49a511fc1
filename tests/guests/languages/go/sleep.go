package main

import "fmt"
import "time"

func main() { fmt.Println("before"); time.Sleep(time.Minute) }
