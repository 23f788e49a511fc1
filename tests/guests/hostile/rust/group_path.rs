// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups
// control: cgroup_namespace
fn main() {
    for line in std::fs::read_to_string("/proc/self/cgroup").unwrap().lines().filter(|line| line.contains("rustbox-")) {
        println!("ESCAPED is in {line}");
    }
}
