// expect: AC
// attack: T26 resolve_name: names resolve to nothing, and at once
// alone: a jail with the way out would ask servers that are not the test's
package main

import (
	"fmt"
	"net"
	"time"
)

func main() {
	begun := time.Now()
	for _, name := range []string{"example.com", "kubernetes.default.svc"} {
		if found, err := net.LookupHost(name); err == nil {
			fmt.Println("ESCAPED", name, "is", found)
		}
	}
	if time.Since(begun) > 2*time.Second {
		fmt.Println("ESCAPED a refusal took its time")
	}
}
