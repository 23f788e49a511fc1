// expect: FSE RE
// attack: T6 file_size: sets a file's length beyond the limit
// control: rlimits
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

fn main() {
    let mut file = File::create("big").unwrap();
    file.seek(SeekFrom::Start(4 << 20)).unwrap();
    file.write_all(b"end").unwrap();
    println!("ESCAPED made a file of {} bytes", file.metadata().unwrap().len());
}
