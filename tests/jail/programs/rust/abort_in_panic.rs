// expect: SIG
// attack: T25 abort_in_panic: panics while it cleans up after a panic
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
