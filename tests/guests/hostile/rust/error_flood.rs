// expect: RE SIG
// attack: T14 error_flood: panics again and again, and catches each
// control: output_limit
use std::panic;
use std::process::exit;

fn main() {
    panic::set_hook(Box::new(|about| {
        use std::io::Write;
        if writeln!(std::io::stderr(), "{about} {}", "!".repeat(4000)).is_err() {
            exit(1);
        }
    }));
    for number in 0..160 {
        let _ = panic::catch_unwind(|| panic!("panic {number}"));
    }
    println!("ESCAPED wrote 650 KB of errors");
}
