#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("{}", 6 * 7); }
