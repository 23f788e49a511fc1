fn main() {
    let file = std::fs::File::create("/tmp/lock").unwrap();
    extern "C" { fn flock(fd: i32, operation: i32) -> i32; }
    use std::os::fd::AsRawFd;
    if unsafe { flock(file.as_raw_fd(), 2) } == 0 { println!("ok"); }
}
