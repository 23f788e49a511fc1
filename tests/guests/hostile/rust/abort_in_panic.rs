// expect: SIG
// attack: T25 abort_in_panic: panics while it cleans up after a panic
// alone: it ends by a signal of its own making; the verdict is what is tested
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("second");
    }
}

fn main() {
    let _bomb = Bomb;
    panic!("first");
}
