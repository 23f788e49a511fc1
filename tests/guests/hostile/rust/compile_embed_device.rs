// expect: MLE TLE RE
// attack: T20 compile_embed_device: the compiler reads an endless device
// alone: a compiler's bomb has no end that it could reach within a bound
static NOISE: &[u8] = include_bytes!("/dev/zero");

fn main() {
    println!("{}", NOISE.len());
}
