// expect: AC
// attack: T29 host_name: asks a program of the system for the host's name
// control: uts_namespace
use std::process::Command;

fn main() {
    let output = Command::new("/usr/bin/uname").arg("-n").output().unwrap();
    let name = String::from_utf8_lossy(&output.stdout);
    if name.trim() != "rustbox-sandbox" {
        println!("ESCAPED the host is {name}");
    }
}
