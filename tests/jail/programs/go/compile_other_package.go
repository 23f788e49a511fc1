// expect: RE
// attack: T22 compile_other_package: a library, so that there is nothing to start
package library

func Main() string {
	return "ESCAPED"
}
