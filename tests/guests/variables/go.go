package main
import ("fmt"; "os")
func main() { g, ok := os.LookupEnv("GREETING"); if !ok { g = "none" }; fmt.Println(g, os.Getenv("PATH")) }
