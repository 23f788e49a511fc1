#![allow(unused_imports)]
use std::io::{Read, Write};

fn main() { let größe = "Привет, 世界 🎉"; println!("{größe}"); }
