// expect: AC
// attack: T7 write_outside: renames its own file to where every later run would see it
// control: read_only_root
use std::fs;

fn main() {
    for place in ["/", "/etc", "/dev", "/usr/bin", "/usr/local/bin", "/opt", "/proc"] {
        let target = format!("{place}/planted");
        if fs::File::create(&target).is_ok() || fs::rename("/box/solution", &target).is_ok() {
            println!("ESCAPED wrote {target}");
        }
    }
}
