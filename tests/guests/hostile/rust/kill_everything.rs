// expect: SIG
// attack: T9 kill_everything: kills init and every process that it can see, itself last
// alone: without a pid namespace it would end the host's processes
extern "C" {
    fn kill(pid: i32, signal: i32) -> i32;
}

fn main() {
    for pid in [1, -1, 0, std::process::id() as i32] {
        unsafe { kill(pid, 9) };
    }
}
