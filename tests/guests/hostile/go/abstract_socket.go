// expect: AC
// attack: T28 abstract_socket: connects to an abstract socket of the host, whose name no mount hides
// control: network_namespace
package main

import (
	"fmt"
	"net"
)

func main() {
	var port, key int
	if _, err := fmt.Scan(&port, &key); err != nil {
		panic(err)
	}
	if _, err := net.Dial("unix", fmt.Sprintf("@rustbox-beacon-%d", key)); err == nil {
		fmt.Println("ESCAPED connected to the host")
	}
}
