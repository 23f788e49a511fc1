#[link(name = "c -Wl,--version")] extern "C" { }
fn main() { }
