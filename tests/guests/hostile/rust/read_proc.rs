// expect: AC
// attack: T29 read_proc: learns about the machine and its other processes
// control: proc_subset
use std::fs;

fn main() {
    for name in ["cpuinfo", "meminfo", "version", "cmdline", "uptime", "partitions", "swaps", "vmstat", "crypto", "1/status", "1/limits"] {
        if fs::metadata(format!("/proc/{name}")).is_ok() {
            println!("ESCAPED found /proc/{name}");
        }
    }
}
