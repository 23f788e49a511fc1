#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("before"); panic!("broken"); }
