package main

import "io"
import "os"

func main() { io.Copy(os.Stdout, os.Stdin) }
