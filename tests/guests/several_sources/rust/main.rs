mod area;
fn main() { println!("{}", area::deep::of(6, 7)); }
