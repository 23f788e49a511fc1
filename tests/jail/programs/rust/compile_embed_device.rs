// expect: MLE TLE RE
// attack: T20 compile_embed_device: the compiler reads an endless device
static NOISE: &[u8] = include_bytes!("/dev/zero");

fn main() {
    println!("{}", NOISE.len());
}
