// expect: AC
// attack: T22 T29 identity: is it root, in a group of the host, or able to become either
// control: unprivileged_user
extern "C" {
    fn getuid() -> u32;
    fn getegid() -> u32;
    fn getgroups(size: i32, list: *mut u32) -> i32;
    fn setuid(uid: u32) -> i32;
    fn setgid(gid: u32) -> i32;
}

fn main() {
    unsafe {
        if getuid() == 0 || getegid() == 0 {
            println!("ESCAPED is root");
        }
        if getgroups(0, std::ptr::null_mut()) != 0 {
            println!("ESCAPED is in a group");
        }
        if setuid(0) == 0 || setgid(0) == 0 {
            println!("ESCAPED became root");
        }
    }
}
