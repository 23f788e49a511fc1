fn main() { print!("{}", include_str!("solution.rs")); }
