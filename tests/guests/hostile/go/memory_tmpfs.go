// expect: MLE
// attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
// control: memory_limit
package main

import (
	"fmt"
	"os"
)

func main() {
	block := make([]byte, 1<<20)
	places := []string{"/tmp", "/dev/shm", "/box"}
	for i := 0; i < 330; i++ {
		if err := os.WriteFile(fmt.Sprintf("%s/file%d", places[i%3], i), block, 0o600); err != nil {
			panic(err)
		}
	}
	fmt.Println("ESCAPED stored 330 MiB in files")
}
