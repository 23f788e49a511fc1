package main

import "fmt"

func main() { größe := "Привет, 世界 🎉"; fmt.Println(größe) }
