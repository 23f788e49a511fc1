// expect: RE
// attack: T22 compile_linker_names: directives that only the standard library may use
// alone: the compiler itself refuses it
package main

import (
	"fmt"
	_ "unsafe"
)

//go:cgo_ldflag "-o/tmp/elsewhere"
//go:cgo_import_dynamic _ _ "/tmp/evil.so"

//go:linkname setuid syscall.runtime_doAllThreadsSyscall
func setuid()

func main() {
	setuid()
	fmt.Println("ESCAPED")
}
