// expect: RE MLE
// attack: T6 T20 compile_huge_array: a small source becomes a large program
// control: rlimits
static BLOCK: [u8; 40 << 20] = [1; 40 << 20];

fn main() {
    let last = unsafe { std::ptr::read_volatile(&BLOCK[(40 << 20) - 1]) };
    println!("ESCAPED the program has {} bytes, {last}", std::hint::black_box(&BLOCK).len());
}
