"""C and Rust programs that would tell direct calls of assembler and linker from the ordinary command."""


def printing(format_and_values: str, header: str = "math.h", before: str = "") -> str:
    body = f"int main(int n, char **a) {{ printf({format_and_values}); return 0; }}\n"
    return f"#include <stdio.h>\n#include <{header}>\n{before}\n{body}"


C_PROGRAMS: dict[str, str | bytes] = {
    "plain": printing('"ok\\n"'),
    "mathematics": printing('"%f", sin(n) + pow(n, 3)'),
    "wide numbers": printing('"%d", (int)(((__int128)n << 90) / 1000003)'),
    "complex numbers": printing('"%f", cabs(n * I)', "complex.h"),
    "threads": "#include <pthread.h>\nvoid *f(void *x) { return x; }\n"
    "int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); return pthread_join(t, 0); }\n",
    "nested function": "#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char **a) {\n"
    "int v[3] = {3, 1, 2}; int cmp(const void *p, const void *q) { return n * (*(int *)p - *(int *)q); }\n"
    'qsort(v, 3, sizeof *v, cmp); return printf("%d%d%d\\n", v[0], v[1], v[2]) < 0; }\n',
    "error": "int main(void) { return x; }\n",
    "errors": '#include <stdio.h>\nint main(void) { int *p = 1.5; printf("%d\\n", "s") return 0 }\n',
    "warning": printing('"%d", n > 9 ? printf("%d", "s") : 7', before="int *p = 5;"),
    "old style": 'main() { puts("x"); }\n',
    "missing header": "#include <iostream>\nint main(void) { }\n",
    "missing function": "int missing(void);\nint main(void) { return missing(); }\n",
    "missing where nobody calls": "int missing(void);\nint f(void) { return missing(); }\nint main(void) { }\n",
    "weak function": "int maybe(void) __attribute__((weak));\nint main(void) { return maybe ? 1 : 3; }\n",
    "twice defined": 'int main(void) { }\nasm(".globl main\\nmain: ret");\n',
    "unknown to the assembler": 'int main(void) { __asm__ volatile("no_such_instruction"); }\n',
    "own sections": printing(
        '"%d %d", *__start_mine, (int)(__stop_mine - __start_mine)',
        before='__attribute__((section("mine"))) int x = 3;\nextern int __start_mine[], __stop_mine[];',
    ),
    "constructors": printing(
        '"main\\n"',
        before='__attribute__((constructor)) void f(void) { puts("first"); }\n'
        '__attribute__((destructor)) void g(void) { puts("last"); }',
    ),
    "no main": "int x;\n",
    "nothing": "",
    "no text": b"\x00\xff\xfe",
    "unfinished": "int main(void) { /*",
    "names and versions": printing('"%s %d %d", __FILE__, __STDC_VERSION__ == 201710L, __OPTIMIZE__'),
}


# Only the linker differs, so few programs end before it.
RUST_PROGRAMS: dict[str, str | bytes] = {
    "plain": 'fn main() { println!("ok"); }\n',
    "panic": 'fn main() { println!("a"); let v: Vec<i32> = vec![]; println!("{}", v[std::env::args().count()]); }\n',
    "backtrace": 'fn main() { eprint!("{}", std::backtrace::Backtrace::force_capture()); }\n',
    "caught panic": 'fn main() { println!("{}", std::panic::catch_unwind(|| panic!("x")).is_err()); }\n',
    "abort": "fn main() { std::process::abort(); }\n",
    "mathematics": 'fn main() { let x = std::env::args().count() as f64; println!("{:?}", (x.sin(), x.powf(1.5))); }\n',
    "wide numbers": 'fn main() { let x = std::env::args().count() as u128; println!("{}", (x << 90) / 1000003); }\n',
    "thread locals": "thread_local!(static N: std::cell::Cell<i32> = const { std::cell::Cell::new(3) });\n"
    'fn main() { std::thread::spawn(|| N.set(4)).join().unwrap(); println!("{}", N.get()); }\n',
    "calls of the c library": 'extern "C" { fn getpid() -> i32; fn cos(x: f64) -> f64; }\n'
    'fn main() { unsafe { println!("{} {}", getpid() > 0, cos(0.5)); } }\n',
    "linked library": '#[link(name = "m")] extern "C" { fn tgamma(x: f64) -> f64; }\n'
    'fn main() { println!("{}", unsafe { tgamma(5.0) }); }\n',
    "names of the compiler": 'fn main() { println!("{} {} {}", file!(), line!(), std::any::type_name::<[u8]>()); }\n',
    "error": 'fn main() { let x: i32 = "s"; y(); }\n',
    "warning": "fn unused() { }\nfn main() { let x = 3; }\n",
    "missing function": 'extern "C" { fn missing(); }\nfn main() { unsafe { missing(); } }\n',
    "missing library": '#[link(name = "missing")] extern "C" { }\nfn main() { }\n',
    "words for the linker": '#[link(name = "c -Wl,--version")] extern "C" { }\nfn main() { }\n',
    "other kind": '#![crate_type = "cdylib"]\npub fn f() { }\n',
    "own source": 'fn main() { print!("{}", include_str!("solution.rs")); }\n',
    "environment of the compiler": 'fn main() { println!("{:?} {:?}", option_env!("LD_PRELOAD"), env!("PATH")); }\n',
    "exported function": '#[no_mangle]\npub extern "C" fn answer() -> i32 { 42 }\n'
    'extern "C" { fn answer2() -> i32; }\n#[export_name = "answer2"]\nfn other() -> i32 { answer() }\n'
    'fn main() { println!("{}", unsafe { answer2() }); }\n',
    "constructor": 'extern "C" fn first() { println!("first"); }\n'
    '#[used]\n#[link_section = ".init_array"]\nstatic FIRST: extern "C" fn() = first;\n'
    'fn main() { println!("{}", std::env::args().count()); }\n',
    "constructor before the library's": 'extern "C" fn first() { println!("{}", std::env::args().count()); }\n'
    '#[used]\n#[link_section = ".init_array.00099"]\nstatic FIRST: extern "C" fn() = first;\nfn main() { }\n',
}
