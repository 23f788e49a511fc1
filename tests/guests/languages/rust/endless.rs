#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("before"); loop { std::hint::black_box(0); } }
