#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { let all: Vec<_> = (0..8).map(|i| std::thread::spawn(move || i)).collect(); println!("{}", all.into_iter().map(|t| t.join().unwrap()).sum::<i32>()); }
