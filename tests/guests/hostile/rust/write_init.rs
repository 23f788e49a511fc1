// expect: AC
// attack: T31 write_init: opens what /proc shows of process 1
// alone: several controls: the user id, hidden processes, and a root of its own
use std::fs::OpenOptions;

fn main() {
    for name in ["mem", "comm", "oom_score_adj", "maps", "environ", "clear_refs", "fd/0", "ns/pid"] {
        for write in [true, false] {
            if OpenOptions::new().read(true).write(write).open(format!("/proc/1/{name}")).is_ok() {
                println!("ESCAPED opened {name}");
            }
        }
    }
}
