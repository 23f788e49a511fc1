// expect: MLE
// attack: T16 memory_heap: boxes that are leaked on purpose
// control: memory_limit
use std::hint::black_box;

fn main() {
    let mut total = 0usize;
    while total < 320 << 20 {
        let block: &'static mut [u8] = Box::leak(vec![1u8; 4 << 20].into_boxed_slice());
        total += black_box(block).len();
    }
    println!("ESCAPED leaked {total} bytes");
}
