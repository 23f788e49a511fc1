// expect: AC
// attack: T6 inode_bomb: empty files, which no byte limit counts
// control: inode_limit
package main

import (
	"fmt"
	"os"
)

func main() {
	for i := 0; i < 20_000; i++ {
		file, err := os.Create(fmt.Sprintf("/dev/shm/%d", i))
		if err != nil {
			return
		}
		file.Close()
	}
	fmt.Println("ESCAPED made 20000 files")
}
