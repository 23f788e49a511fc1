package main

import "runtime"
import "time"

func main() { for { go func() { runtime.LockOSThread(); time.Sleep(time.Minute) }(); runtime.Gosched() } }
