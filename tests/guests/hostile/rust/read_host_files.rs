// expect: AC
// attack: T5 read_host_files: reads what is the host's
// control: mount_namespace
use std::fs;

fn main() {
    for path in ["/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/ssl/private", "/root", "/home", "/var/log", "/run", "/srv", "/boot", "/proc/1/environ", "/proc/1/cwd"] {
        if fs::read(path).is_ok_and(|text| !text.is_empty()) {
            println!("ESCAPED read {path}");
        }
        if fs::read_dir(path).is_ok_and(|entries| entries.count() > 0) {
            println!("ESCAPED listed {path}");
        }
    }
}
