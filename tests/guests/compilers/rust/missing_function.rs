extern "C" { fn missing(); }
fn main() { unsafe { missing(); } }
