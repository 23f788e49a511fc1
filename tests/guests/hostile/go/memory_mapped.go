// expect: MLE
// attack: T16 memory_mapped: maps files that it has removed again
// control: memory_limit
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	for i := 0; i < 320; i++ {
		file, err := os.Create("/dev/shm/file")
		if err != nil {
			panic(err)
		}
		os.Remove(file.Name())
		if err := file.Truncate(1 << 20); err != nil {
			panic(err)
		}
		block, err := syscall.Mmap(int(file.Fd()), 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			panic(err)
		}
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		file.Close()
	}
	fmt.Println("ESCAPED mapped 320 MiB")
}
