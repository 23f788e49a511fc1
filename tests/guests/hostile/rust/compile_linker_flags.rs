// expect: RE AC
// attack: T5 T22 compile_linker_flags: hands options to the linker, to have it write or read elsewhere
// alone: several controls stand in the way of each option; the compiler refuses some itself
#[link(name = "/etc/passwd", kind = "static")]
extern "C" {}
#[link(name = "c -o /tmp/elsewhere")]
extern "C" {}

fn main() {
    println!("started");
}
