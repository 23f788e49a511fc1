// expect: RE SIG
// attack: T25 crash_in_runtime: writes through a forged pointer, with a core dump asked for
// alone: it ends by a signal of its own making; the verdict is what is tested
package main

import (
	"runtime/debug"
	"unsafe"
)

func main() {
	debug.SetTraceback("crash")
	*(*int)(unsafe.Pointer(uintptr(0x10))) = 1
}
