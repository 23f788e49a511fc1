#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { loop { std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(60))); } }
