// expect: AC
// attack: T1 T2 planted_links: replaces its own program and the names that the host writes with links out of the box
// control: read_only_root
use std::fs;
use std::os::unix::fs::symlink;

fn main() {
    fs::remove_file("/box/solution").unwrap();
    symlink("/etc/passwd", "/box/solution").unwrap();
    symlink("/", "/box/stdout").unwrap();
    if fs::hard_link("/usr/bin/env", "/box/env").is_ok() {
        println!("ESCAPED linked to a file of the host");
    }
    if fs::rename("/box", "/dev/shm/box").is_ok() || symlink("/", "/planted").is_ok() {
        println!("ESCAPED moved the box");
    }
}
