#[link(name = "missing")] extern "C" { }
fn main() { }
