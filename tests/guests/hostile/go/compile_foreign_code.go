// expect: RE
// attack: T5 T22 compile_foreign_code: compiles C, and hands options to its compiler and its linker
// alone: the toolchain is called without its build tool, which alone would obey
package main

/*
#cgo CFLAGS: -fplugin=/box/plugin.so
#cgo LDFLAGS: -Wl,-rpath,/tmp -o /tmp/elsewhere
#include "/etc/passwd"
*/
import "C"

func main() {
	C.puts(C.CString("ESCAPED"))
}
