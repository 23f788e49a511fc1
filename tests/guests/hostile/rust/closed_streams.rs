// expect: AC RE
// attack: T13 closed_streams: closes its streams and prints
// alone: it attacks the supervisor, which has no part that could be left out
extern "C" {
    fn close(fd: i32) -> i32;
}

fn main() {
    for fd in 0..3 {
        unsafe { close(fd) };
    }
    println!("text for nobody");
    eprintln!("text for nobody");
}
