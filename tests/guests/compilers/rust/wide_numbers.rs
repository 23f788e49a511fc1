fn main() { let x = std::env::args().count() as u128; println!("{}", (x << 90) / 1000003); }
