// expect: RE
// attack: T5 compile_module_of_host: diagnostics are to show a file of the host
#[path = "/etc/passwd"]
mod secret;
#[path = "/proc/self/environ"]
mod environment;

fn main() {
    println!("ESCAPED {} {}", secret::ROOT, environment::HOME);
}
