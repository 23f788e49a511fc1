// expect: PLE
// attack: T8 thread_bomb: threads count as processes
// control: process_limit
use std::process::exit;
use std::thread;

fn main() {
    for _ in 0..60 {
        if thread::Builder::new().stack_size(65536).spawn(thread::park).is_err() {
            exit(1);
        }
    }
    println!("ESCAPED has 60 threads");
    exit(0);
}
