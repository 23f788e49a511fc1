// expect: RE
// attack: T22 compile_other_kind: asks for a library, so that what is to be started is no program
// alone: it attacks what is done with the result, which is no control
#![crate_type = "lib"]
pub fn main() {}
