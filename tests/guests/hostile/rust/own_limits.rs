// expect: AC
// attack: T25 own_limits: reads its limits
// control: rlimits
fn main() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    for (name, expected) in [("Max file size", "1048576"), ("Max processes", "64"), ("Max open files", "64"), ("Max core file size", "0")] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let values: Vec<&str> = line[name.len()..].split_whitespace().collect();
        if values[0] != expected || values[1] != expected {
            println!("ESCAPED {line}");
        }
    }
}
