extern "C" fn first() { println!("first"); }
#[used]
#[link_section = ".init_array"]
static FIRST: extern "C" fn() = first;
fn main() { println!("{}", std::env::args().count()); }
