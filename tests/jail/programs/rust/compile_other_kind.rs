// expect: RE
// attack: T22 compile_other_kind: asks for a library, so that what is to be started is no program
#![crate_type = "lib"]
pub fn main() {}
