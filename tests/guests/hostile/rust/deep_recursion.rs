// expect: SIG
// attack: T20 deep_recursion: uses up the stack of a thread
// alone: it meets the stack's own end, in a jail or not
use std::hint::black_box;

fn depth(level: u64) -> u64 {
    let frame = black_box([level; 64]);
    frame[(level % 64) as usize] + depth(black_box(level + 1))
}

fn main() {
    println!("{:?}", std::thread::spawn(|| depth(0)).join());
}
