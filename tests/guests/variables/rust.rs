use std::env::var;
fn main() { println!("{} {}", var("GREETING").unwrap_or("none".into()), var("PATH").unwrap()); }
