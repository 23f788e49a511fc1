#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { let unused = 5; println!("ok"); }
