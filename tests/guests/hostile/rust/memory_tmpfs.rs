// expect: MLE
// attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
// control: memory_limit
use std::fs;

fn main() {
    let block = vec![b'x'; 1 << 20];
    for i in 0..330 {
        let place = ["/tmp", "/dev/shm", "/box"][i % 3];
        fs::write(format!("{place}/file{i}"), &block).unwrap();
    }
    println!("ESCAPED stored 330 MiB in files");
}
