// expect: TLE
// attack: T17 sleep: waits on a condition that nobody fulfils
// control: wall_limit
use std::sync::{Condvar, Mutex};
use std::time::Duration;

fn main() {
    let (lock, condition) = (Mutex::new(false), Condvar::new());
    let (_held, waited) = condition.wait_timeout_while(lock.lock().unwrap(), Duration::from_millis(1200), |done| !*done).unwrap();
    if waited.timed_out() {
        println!("ESCAPED waited 1.2 s");
    }
}
