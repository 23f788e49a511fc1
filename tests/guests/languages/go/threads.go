package main

import "fmt"
import "runtime"
import "sync"

func main() { n := make([]int, 8); var w sync.WaitGroup; for i := range n { w.Add(1); go func() { runtime.LockOSThread(); n[i] = i; w.Done() }() }; w.Wait(); sum := 0; for _, v := range n { sum += v }; fmt.Println(sum) }
