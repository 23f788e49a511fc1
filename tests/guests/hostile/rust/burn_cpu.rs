// expect: TLE
// attack: T17 burn_cpu: hashes its own hashes without end
// control: cpu_limit
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

extern "C" {
    fn clock() -> i64;
}

fn main() {
    let mut value = 1u64;
    while unsafe { clock() } < 700_000 {
        for _ in 0..10_000 {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            value = hasher.finish();
        }
    }
    println!("ESCAPED burnt 0.7 s of CPU time, {value}");
}
