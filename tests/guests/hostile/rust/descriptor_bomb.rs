// expect: AC
// attack: T6 descriptor_bomb: duplicates one descriptor again and again
// control: rlimits
use std::fs::File;

fn main() {
    let first = File::open("/dev/null").unwrap();
    let mut copies = Vec::new();
    while copies.len() < 300 {
        match first.try_clone() {
            Ok(copy) => copies.push(copy),
            Err(_) => return,
        }
    }
    println!("ESCAPED has {} descriptors", copies.len());
}
