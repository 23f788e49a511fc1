// expect: RE
// attack: T20 compile_include_output: the compiler reads its own output, and so waits for itself
// alone: without the control the compiler waits for ever, and there is no program to print anything
static OUTPUT: &[u8] = include_bytes!("/proc/self/fd/1");
fn main() {
    println!("ESCAPED read {} bytes", OUTPUT.len());
}
