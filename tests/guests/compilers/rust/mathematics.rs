fn main() { let x = std::env::args().count() as f64; println!("{:?}", (x.sin(), x.powf(1.5))); }
