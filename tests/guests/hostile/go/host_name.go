// expect: AC
// attack: T29 host_name: learns the host's name
// control: uts_namespace
package main

import (
	"fmt"
	"os"
)

func main() {
	if name, err := os.Hostname(); err != nil || name != "rustbox-sandbox" {
		fmt.Println("ESCAPED the host is", name, err)
	}
}
