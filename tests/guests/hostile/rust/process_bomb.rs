// expect: PLE
// attack: T8 process_bomb: starts children that stay
// control: process_limit
use std::process::{exit, Child, Command, Stdio};

fn main() {
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..40 {
        match Command::new("/usr/bin/sleep").arg("100").stdin(Stdio::null()).stdout(Stdio::null()).spawn() {
            Ok(child) => children.push(child),
            Err(_) => exit(1),
        }
    }
    println!("ESCAPED has {} children", children.len());
}
