#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { println!("before"); std::thread::sleep(std::time::Duration::from_secs(60)); }
