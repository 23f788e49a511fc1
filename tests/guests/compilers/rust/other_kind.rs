#![crate_type = "cdylib"]
pub fn f() { }
