// expect: RE SIG
// attack: T25 crash_in_runtime: writes through a forged pointer, with a core dump asked for
package main

import (
	"runtime/debug"
	"unsafe"
)

func main() {
	debug.SetTraceback("crash")
	*(*int)(unsafe.Pointer(uintptr(0x10))) = 1
}
