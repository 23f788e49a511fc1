#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { let mut n = 0; for i in 0..3000 { n += vec![1u8; 1 << 20][i] as usize; } println!("{}", if n == 3000 { "ok" } else { "bad" }); }
