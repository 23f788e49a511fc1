// expect: RE
// attack: T5 compile_embed_secret: the compiler puts a file of the host into the program
// alone: the file is not in the jail's root at all; a jail with it would show the host's
package main

import (
	_ "embed"
	"fmt"
)

//go:embed /etc/passwd
var secret string

//go:embed ../etc/passwd
var sameByDots string

func main() {
	fmt.Println("ESCAPED read", secret, sameByDots)
}
