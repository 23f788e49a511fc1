// expect: RE
// attack: T5 compile_module_of_host: diagnostics are to show a file of the host
// alone: the file is not in the jail's root at all; a jail with it would show the host's
#[path = "/etc/passwd"]
mod secret;
#[path = "/proc/self/environ"]
mod environment;

fn main() {
    println!("ESCAPED {} {}", secret::ROOT, environment::HOME);
}
