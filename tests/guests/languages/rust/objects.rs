#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("before"); let mut all = Vec::new(); for i in 0u64.. { all.push(Box::new(i)); } }
