package main

import (
	"crypto/x509"
	"fmt"
)

func main() {
	pool, _ := x509.SystemCertPool()
	fmt.Println(len(pool.Subjects()))
}
