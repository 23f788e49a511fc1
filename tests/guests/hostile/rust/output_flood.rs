// expect: RE SIG
// attack: T14 output_flood: more output than may be kept, not UTF-8
// control: output_limit
use std::io::{stdout, Write};

fn main() {
    let block = [0xfeu8; 65536];
    for _ in 0..10 {
        stdout().lock().write_all(&block).unwrap();
    }
    println!("\nESCAPED wrote 640 KiB");
}
