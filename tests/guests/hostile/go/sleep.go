// expect: TLE
// attack: T17 sleep: waits for the first of two channels, neither of which is in a hurry
// control: wall_limit
package main

import (
	"fmt"
	"time"
)

func main() {
	never := make(chan int)
	select {
	case <-never:
	case at := <-time.After(1200 * time.Millisecond):
		fmt.Println("ESCAPED waited until", at.Second())
	}
}
