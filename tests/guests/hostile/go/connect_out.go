// expect: AC
// attack: T26 connect_out: reaches for addresses of both versions
// control: unreachable_network
package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

func main() {
	begun := time.Now()
	for _, address := range []string{"1.1.1.1:80", "10.0.0.1:22", "169.254.169.254:80", "172.17.0.1:2375", "[2606:4700:4700::1111]:80", "[fe80::1%lo]:80"} {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil || errors.Is(err, syscall.ECONNREFUSED) {
			fmt.Println("ESCAPED reached", address, err)
		}
		if connection, err = net.Dial("udp", address); err == nil {
			if _, err = connection.Write([]byte("question")); err == nil {
				fmt.Println("ESCAPED sent to", address)
			}
		}
	}
	if time.Since(begun) > 2*time.Second {
		fmt.Println("ESCAPED a refusal took its time")
	}
}
