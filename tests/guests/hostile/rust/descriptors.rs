// expect: AC
// attack: T23 descriptors: looks for descriptors that the jail forgot to close
// control: closed_descriptors
use std::fs;

fn main() {
    for entry in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let number: u32 = entry.file_name().to_string_lossy().parse().unwrap();
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if number > 2 && !target.starts_with("/proc") {
            println!("ESCAPED was given {number}: {}", target.display());
        }
    }
}
