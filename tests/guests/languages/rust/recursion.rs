#![allow(unused_imports)]
use std::io::{Read, Write};
#[allow(unconditional_recursion)]
fn f(n: u64) -> u64 { let a = [n; 4]; std::hint::black_box(&a); f(n + 1) + a[1] }
fn main() { println!("before"); println!("{}", f(0)); }
