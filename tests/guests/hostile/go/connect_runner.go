// expect: AC
// attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
// control: network_namespace
package main

import (
	"fmt"
	"net"
)

func main() {
	var port int
	if _, err := fmt.Scan(&port); err != nil {
		panic(err)
	}
	if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		fmt.Println("ESCAPED connected to the host")
	}
}
