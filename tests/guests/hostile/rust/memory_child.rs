// expect: MLE
// attack: T16 memory_child: a pipeline of children eats, and the parent hides their death behind exit code 0
// control: memory_limit
use std::process::Command;
use std::{thread, time::Duration};

fn main() {
    let output = Command::new("/bin/sh").args(["-c", "head -c 320M /dev/zero | tail -n 1 | wc -c"]).output().unwrap();
    if String::from_utf8_lossy(&output.stdout).trim() == (320 << 20).to_string() {
        println!("ESCAPED children held 320 MiB");
    }
    thread::sleep(Duration::from_millis(500));
}
