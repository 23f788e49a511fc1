// expect: AC SIG
// attack: T21 raw_calls: makes system calls with an instruction of its own, past every library
// control: seccomp
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: i64, first: i64, second: i64) -> i64 {
    let result: i64;
    std::arch::asm!("syscall", inlateout("rax") number => result, in("rdi") first, in("rsi") second, out("rcx") _, out("r11") _);
    result
}

#[cfg(target_arch = "x86_64")]
fn main() {
    for (name, number, first) in [("unshare", 272, 0x1000_0000), ("ptrace", 101, 0), ("modify_ldt", 154, 0), ("fsconfig", 431, -1)] {
        let result = unsafe { call(number, first, 0) };
        if ![-1, -38].contains(&result) {
            println!("ESCAPED {name} reached the kernel: {result}");
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("ESCAPED this machine has no such instruction, and the program is not for it");
}
