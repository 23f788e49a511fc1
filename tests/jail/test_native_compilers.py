"""The direct calls of compilers, assembler and linker: the same programs and the same words as the ordinary command."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language, compile_spec, direct_linker
from sandbox_runtime.languages.cpp_headers import HEADER_SETS
from sandbox_runtime.languages.preparation import prepared_path
from sandbox_runtime.languages.rust import DIRECTORY, LINK_DRIVER
from sandbox_runtime.messages import ExecutionCompleted, InlineOutput
from tests.jail.conftest import TOOLCHAINS, request
from tests.jail.language_programs.cpp_headers import HEADER_PROGRAMS

# Files of gcc and rustc in /tmp, numbers of threads, addresses.
_OF_THE_MOMENT = re.compile(rb"\bcc\w{6}\.[os]\b|\brustc\w{6}\b|(?<=' \()\d+(?=\) panicked)|0x[0-9a-f]{6,}")

Compare = Callable[[str, str | bytes], ExecutionCompleted]


def ordinary(language: Language) -> Language:
    """The language with the command that its direct calls stand for."""
    assert language.compile is not None
    argv = tuple(part.replace(f"{DIRECTORY}/{direct_linker.NAME}", LINK_DRIVER) for part in language.compile.argv)
    return replace(language, compile=replace(language.compile, argv=argv[argv.index(language.tools[0].guest_path) :]))


def seen(completed: ExecutionCompleted) -> tuple[object, ...]:
    assert isinstance(completed.stdout, InlineOutput)
    assert isinstance(completed.stderr, InlineOutput)
    stderr = _OF_THE_MOMENT.sub(b"?", completed.stderr.content)
    return completed.result, completed.stdout.content, stderr


@pytest.fixture
def compare(slot: Slot, languages: Mapping[str, Language]) -> Compare:
    """Run a program both ways; the answer of the direct one, which must be the answer of the other."""

    def run(name: str, code: str | bytes) -> ExecutionCompleted:
        asked = request(name, code if isinstance(code, bytes) else code.encode())
        answers = [
            execute(slot, asked, language, node_id="tests", started_at=datetime.now(UTC))
            for language in (languages[name], ordinary(languages[name]))
        ]
        assert seen(answers[0]) == seen(answers[1])
        return answers[0]

    return run


@pytest.mark.parametrize("name", HEADER_PROGRAMS)
def test_precompiled_headers_change_no_program_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("cpp", HEADER_PROGRAMS[name])


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


@pytest.mark.parametrize("name", C_PROGRAMS)
def test_direct_calls_change_no_program_of_c_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("c", C_PROGRAMS[name])


RUST_PROGRAMS = {
    "plain": 'fn main() { println!("ok"); }\n',
    "panic": 'fn main() { println!("a"); let v: Vec<i32> = vec![]; println!("{}", v[std::env::args().count()]); }\n',
    "backtrace": 'fn main() { eprint!("{}", std::backtrace::Backtrace::force_capture()); }\n',
    "panic in a thread": 'fn main() { println!("{}", std::thread::spawn(|| panic!("x")).join().is_err()); }\n',
    "caught panic": 'fn main() { println!("{}", std::panic::catch_unwind(|| panic!("x")).is_err()); }\n',
    "no overflow checks": 'fn main() { let n = std::env::args().count() as u8; println!("{}", n + 200 + 55); }\n',
    "abort": "fn main() { std::process::abort(); }\n",
    "exit code": "fn main() -> std::process::ExitCode { std::process::ExitCode::from(9) }\n",
    "error from main": 'fn main() -> Result<(), String> { Err("broken".into()) }\n',
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
    "no main": "fn f() { }\n",
}


@pytest.mark.parametrize("name", RUST_PROGRAMS)
def test_the_direct_linker_changes_no_program_of_rust_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("rust", RUST_PROGRAMS[name])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("c", printing('"%f", sin(n)')),
        *(("cpp", HEADER_PROGRAMS[name]) for name in ("plain", "everything", "asserts off")),
    ],
)
def test_good_programs_do_not_need_the_ordinary_command(
    slot: Slot, languages: Mapping[str, Language], name: str, code: str
) -> None:
    step = languages[name].compile
    assert step is not None
    direct = replace(step, argv=(*step.argv[:3], "/usr/bin/false"))
    assert slot.run(compile_spec(languages[name], direct, code.encode())).artifact


@pytest.mark.parametrize("header", HEADER_SETS)
def test_the_compiler_takes_the_precompiled_headers(
    languages: Mapping[str, Language], tmp_path: Path, header: str
) -> None:
    cpp = languages["cpp"]
    assert cpp.prepared is not None
    path = prepared_path(cpp, cpp.prepared, TOOLCHAINS) / header
    (tmp_path / "solution.cpp").write_text(f"#include <{HEADER_SETS[header][0]}>\nint main() {{ }}\n")
    command = [*ordinary(cpp).compile.argv, "-H", "-include", str(path)]  # type: ignore[union-attr] # it is compiled
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stderr.startswith(f"! {path}.gch\n")
