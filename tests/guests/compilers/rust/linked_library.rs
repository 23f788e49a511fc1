#[link(name = "m")] extern "C" { fn tgamma(x: f64) -> f64; }
fn main() { println!("{}", unsafe { tgamma(5.0) }); }
