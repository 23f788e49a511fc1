// expect: AC
// attack: T22 execute_from_tmp: starts a copy of itself from a shared directory
// control: noexec_mounts
use std::process::{exit, Command};
use std::{env, fs};

fn main() {
    if env::args().len() > 1 {
        exit(42);
    }
    for place in ["/tmp/myself", "/dev/shm/myself"] {
        fs::copy("/proc/self/exe", place).unwrap();
        if Command::new(place).arg("again").status().is_ok_and(|status| status.code() == Some(42)) {
            println!("ESCAPED executed {place}");
        }
    }
}
