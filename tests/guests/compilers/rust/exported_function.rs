#[no_mangle]
pub extern "C" fn answer() -> i32 { 42 }
extern "C" { fn answer2() -> i32; }
#[export_name = "answer2"]
fn other() -> i32 { answer() }
fn main() { println!("{}", unsafe { answer2() }); }
