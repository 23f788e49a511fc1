#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("before"); let y = "y".repeat(65536); loop { std::io::stdout().write_all(y.as_bytes()).unwrap(); } }
