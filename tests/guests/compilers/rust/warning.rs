fn unused() { }
fn main() { let x = 3; }
