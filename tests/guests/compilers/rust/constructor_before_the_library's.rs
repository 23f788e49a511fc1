extern "C" fn first() { println!("{}", std::env::args().count()); }
#[used]
#[link_section = ".init_array.00099"]
static FIRST: extern "C" fn() = first;
fn main() { }
