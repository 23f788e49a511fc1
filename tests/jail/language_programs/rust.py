"""Small Rust programs, one for each case."""


def program(body: str, before: str = "") -> str:
    return f"#![allow(unused_imports)]\nuse std::io::{{Read, Write}};\n{before}\nfn main() {{ {body} }}\n"


_REST = "std::thread::sleep(std::time::Duration::from_secs(60))"

_BEFORE = 'println!("before"); '

PROGRAMS = {
    "hello": program('println!("{}", 6 * 7);'),
    "echo": program("std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap();"),
    "exit_7": program("std::process::exit(7);"),
    "unicode": program('let größe = "Привет, 世界 🎉"; println!("{größe}");'),
    "flood": program(
        _BEFORE + 'let y = "y".repeat(65536); loop { std::io::stdout().write_all(y.as_bytes()).unwrap(); }'
    ),
    "buffers": program(_BEFORE + "let mut all = Vec::new(); loop { all.push(vec![1u8; 1 << 20]); }"),
    "objects": program(_BEFORE + "let mut all = Vec::new(); for i in 0u64.. { all.push(Box::new(i)); }"),
    "endless": program(_BEFORE + "loop { std::hint::black_box(0); }"),
    "sleep": program(f"{_BEFORE}{_REST};"),
    "garbage": program(
        "let mut n = 0; for i in 0..3000 { n += vec![1u8; 1 << 20][i] as usize; }"
        ' println!("{}", if n == 3000 { "ok" } else { "bad" });'
    ),
    "throw": program(_BEFORE + 'panic!("broken");'),
    "warning": program('let unused = 5; println!("ok");'),
    "broken": 'fn main() {\n    let x: i32 = "s";\n}\n',
    "threads": program(
        "let all: Vec<_> = (0..8).map(|i| std::thread::spawn(move || i)).collect();"
        ' println!("{}", all.into_iter().map(|t| t.join().unwrap()).sum::<i32>());'
    ),
    "thread_bomb": program(f"loop {{ std::thread::spawn(|| {_REST}); }}"),
    "recursion": program(
        _BEFORE + 'println!("{}", f(0));',
        "#[allow(unconditional_recursion)]\nfn f(n: u64) -> u64 { let a = [n; 4]; std::hint::black_box(&a);"
        " f(n + 1) + a[1] }",
    ),
    "deep": program(
        'println!("{}", f(50000));',
        "fn f(n: u64) -> u64 { if std::hint::black_box(n) == 0 { 0 } else { f(n - 1) + 1 } }",
    ),
    "limits": program('print!("{}", std::fs::read_to_string("/proc/self/limits").unwrap());'),
}
