// expect: AC
// attack: T11 orphan_holds_stdout: a child in a session of its own keeps the output open after the end
// control: pid_namespace
use std::process::Command;

fn main() {
    Command::new("/usr/bin/setsid").args(["sleep", "1000"]).spawn().unwrap();
    println!("done");
}
