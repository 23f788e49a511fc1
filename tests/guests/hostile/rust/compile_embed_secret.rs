// expect: RE
// attack: T5 compile_embed_secret: the compiler puts a file of the host into the program
// control: mount_namespace
fn main() {
    println!("ESCAPED read {}", include_str!("/etc/passwd"));
}
