// expect: AC
// attack: T8 T31 other_processes: looks for processes that are not its own, by number
// control: pid_namespace
extern "C" {
    fn kill(pid: i32, signal: i32) -> i32;
}

fn main() {
    let own = std::process::id() as i32;
    for pid in (2..300).filter(|pid| *pid != own) {
        if unsafe { kill(pid, 0) } == 0 || std::io::Error::last_os_error().raw_os_error() == Some(1) {
            println!("ESCAPED found process {pid}");
        }
    }
    if std::os::unix::process::parent_id() != 1 {
        println!("ESCAPED the parent is {}", std::os::unix::process::parent_id());
    }
}
