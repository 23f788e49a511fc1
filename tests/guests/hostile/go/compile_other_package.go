// expect: RE
// attack: T22 compile_other_package: a library, so that there is nothing to start
// alone: it attacks what is done with the result, which is no control
package library

func Main() string {
	return "ESCAPED"
}
