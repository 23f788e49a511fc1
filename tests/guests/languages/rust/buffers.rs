#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("before"); let mut all = Vec::new(); loop { all.push(vec![1u8; 1 << 20]); } }
