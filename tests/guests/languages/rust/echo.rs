#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap(); }
