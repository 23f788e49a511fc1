package main

import "os"
import "strings"

func main() { os.Stdout.WriteString("before\n"); y := strings.Repeat("y", 65536); for { if _, e := os.Stdout.WriteString(y); e != nil { panic(e) } } }
