// expect: MLE
// attack: T16 memory_goroutines: half a million stacks that wait
// control: memory_limit
package main

import "fmt"

func main() {
	never, started := make(chan int), make(chan int)
	for i := 0; i < 130_000; i++ {
		go func() {
			var frame [2000]byte
			started <- int(frame[i%2000])
			<-never
			fmt.Println(frame)
		}()
		<-started
	}
	fmt.Println("ESCAPED has 130000 goroutines")
}
