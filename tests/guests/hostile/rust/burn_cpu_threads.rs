// expect: TLE
// attack: T17 burn_cpu_threads: eight threads share the work
// control: cpu_limit
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

extern "C" {
    fn clock() -> i64;
}

fn main() {
    let turns = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while unsafe { clock() } < 700_000 {
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("ESCAPED turned {} times in 0.7 s of CPU time", turns.into_inner());
}
