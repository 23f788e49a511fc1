"""Ordinary programs of every language in the real jail: output exact, verdict right."""

from collections.abc import Callable

import pytest

from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.messages import ExecutionCompleted, InlineOutput, LimitOverrides

MIB = 1 << 20
Run = Callable[..., ExecutionCompleted]
NAMES = [language.name for language in LANGUAGES]


def streams(completed: ExecutionCompleted) -> tuple[bytes, bytes]:
    assert isinstance(completed.stdout, InlineOutput)
    assert isinstance(completed.stderr, InlineOutput)
    return completed.stdout.content, completed.stderr.content


def verdict(completed: ExecutionCompleted) -> tuple[str, str, int | None, int | None]:
    result = completed.result
    return result.verdict, result.cause, result.exit_code, result.signal


def c(body: str) -> str:
    headers = "".join(f"#include <{name}.h>\n" for name in ("stdio", "stdlib", "string", "math", "unistd"))
    return f"{headers}int main(void) {{ {body} }}\n"


HELLO = {
    "python": "print(6 * 7)",
    "c": c('printf("%d\\n", 6 * 7); return 0;'),
    "javascript": "console.log(6 * 7)",
}
ECHO = {
    "python": "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())",
    "c": c("char b[65536]; size_t n; while ((n = fread(b, 1, sizeof b, stdin))) fwrite(b, 1, n, stdout); return 0;"),
    "javascript": "const fs = require('fs'); fs.writeSync(1, fs.readFileSync(0))",
}
EXIT_7 = {"python": "raise SystemExit(7)", "c": c("exit(7);"), "javascript": "process.exit(7)"}
UNICODE = {
    "python": 'print("Привет, 世界 🎉")',
    "c": c('puts("Привет, 世界 🎉"); return 0;'),
    "javascript": 'console.log("Привет, 世界 🎉")',
}
ONE_MIB = {
    "python": "import sys; sys.stdout.write('x' * (1 << 20))",
    "c": c("for (int i = 0; i < 1 << 20; i++) putchar('x'); return 0;"),
    "javascript": "process.stdout.write('x'.repeat(1 << 20))",
}
TOO_MUCH = {
    "python": "import sys\nwhile True: sys.stdout.write('y' * 65536)",
    "c": c('for (;;) fputs("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", stdout);'),
    "javascript": "const fs = require('fs'); const y = 'y'.repeat(65536); for (;;) fs.writeSync(1, y)",
}
TOO_BIG = {
    "python": "a = []\nwhile True: a.append(bytearray(1 << 20))",
    "c": c("for (;;) { char *p = malloc(1 << 20); if (!p) return 3; memset(p, 1, 1 << 20); }"),
    "javascript": "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
}
TOO_BIG_HEAP = {
    "python": "a = []\nwhile True: a.append([str(i) for i in range(1000)])",
    "c": TOO_BIG["c"],
    "javascript": "const a = []; for (let i = 0; ; i++) a.push({i, s: 'text' + i})",
}
ENDLESS = {"python": "while True: pass", "c": c("volatile int i = 0; for (;;) i++;"), "javascript": "for (;;);"}
SLEEPING = {
    "python": "import time; time.sleep(60)",
    "c": c("sleep(60); return 0;"),
    "javascript": "setTimeout(() => {}, 60_000)",
}
GARBAGE = {
    "python": "for i in range(300): x = [bytes(100) for _ in range(1000)]\nprint('ok')",
    "c": c('for (int i = 0; i < 3000; i++) free(memset(malloc(1 << 20), 1, 1 << 20)); puts("ok"); return 0;'),
    "javascript": "for (let k = 0; k < 60; k++) { let x = []; for (let i = 0; i < 1e5; i++) x.push({ i }); }\n"
    "console.log('ok')",
}


def test_every_language_has_a_program_for_every_case() -> None:
    for programs in (
        HELLO,
        ECHO,
        EXIT_7,
        UNICODE,
        ONE_MIB,
        TOO_MUCH,
        TOO_BIG,
        TOO_BIG_HEAP,
        ENDLESS,
        SLEEPING,
        GARBAGE,
    ):
        assert list(programs) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_hello(run: Run, name: str) -> None:
    completed = run(name, HELLO[name])
    assert (verdict(completed), streams(completed)) == (("AC", "normal_exit", 0, None), (b"42\n", b""))
    assert completed.integrity == "complete"
    assert completed.metrics is not None
    assert (completed.metrics.compile_ms is not None) == (name == "c")
    assert completed.evidence is not None
    assert completed.evidence.isolation_mode == "strict"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stdin", [b"", b"1 2\n", bytes(range(256)) * 1024], ids=["empty", "short", "256 KiB binary"])
def test_stdin_arrives_exact(run: Run, name: str, stdin: bytes) -> None:
    completed = run(name, ECHO[name], stdin=stdin)
    assert (verdict(completed)[0], streams(completed)) == ("AC", (stdin, b""))


@pytest.mark.parametrize("name", NAMES)
def test_a_nonzero_exit(run: Run, name: str) -> None:
    assert verdict(run(name, EXIT_7[name])) == ("RE", "re_nonzero_exit", 7, None)


def test_an_uncaught_exception_of_python_shows_its_traceback(run: Run) -> None:
    completed = run("python", "def f():\n    return 1 / 0\nf()\n")
    assert verdict(completed) == ("RE", "re_nonzero_exit", 1, None)
    stderr = streams(completed)[1].decode()
    assert stderr.startswith('Traceback (most recent call last):\n  File "/box/solution.py", line 3, in <module>\n')
    assert stderr.endswith("ZeroDivisionError: division by zero\n")


def test_an_uncaught_exception_of_javascript_shows_its_place(run: Run) -> None:
    completed = run("javascript", "const a = 1;\nthrow new Error('broken')\n")
    assert verdict(completed) == ("RE", "re_nonzero_exit", 1, None)
    assert b"error: broken" in streams(completed)[1]
    assert b"solution.js:2" in streams(completed)[1]


@pytest.mark.parametrize(("call", "number"), [("abort();", 6), ("*(volatile int *)0 = 1;", 11), ("raise(15);", 15)])
def test_a_signal_of_c_is_reported(run: Run, call: str, number: int) -> None:
    completed = run("c", "#include <signal.h>\n" + c(f'puts("before"); fflush(stdout); {call}'))
    assert verdict(completed) == ("SIG", "re_fatal_signal", 128 + number, number)
    assert streams(completed)[0] == b"before\n"


def test_a_compile_error_of_c_is_told_with_its_line(run: Run) -> None:
    completed = run("c", "int main(void) {\n    return x;\n}\n")
    assert verdict(completed) == ("RE", "ce_compile_failed", 1, None)
    assert (completed.result.phase, completed.result.error_message) == ("compile", "compilation failed")
    stdout, stderr = streams(completed)
    assert stdout == b""
    assert stderr.startswith(b"c Compilation Error:\nsolution.c: In function")
    assert b"solution.c:2:12: error:" in stderr
    assert b"/box" not in stderr


def test_a_link_error_of_c_is_a_compile_error(run: Run) -> None:
    completed = run("c", "int missing(void);\nint main(void) { return missing(); }\n")
    assert verdict(completed) == ("RE", "ce_compile_failed", 1, None)
    assert b"undefined reference to `missing'" in streams(completed)[1]


def test_c_has_its_flags_and_the_mathematical_library(run: Run) -> None:
    completed = run(
        "c",
        "#include <stdio.h>\n#include <math.h>\n#include <stdlib.h>\n#ifndef ONLINE_JUDGE\n#error flag\n#endif\n"
        'int main(void) { printf("%ld %.3f\\n", __STDC_VERSION__, cos(atof("0"))); return 0; }\n',
    )
    assert streams(completed)[0] == b"201710 1.000\n"


@pytest.mark.parametrize(("name", "code"), [("python", "print(\n"), ("javascript", "console.log(\n")])
def test_a_syntax_error_of_an_interpreted_language_is_a_failed_run(run: Run, name: str, code: str) -> None:
    completed = run(name, code)
    assert (verdict(completed), completed.result.phase) == (("RE", "re_nonzero_exit", 1, None), "run")
    assert b"solution." in streams(completed)[1]


@pytest.mark.parametrize("name", NAMES)
def test_unicode(run: Run, name: str) -> None:
    assert streams(run(name, UNICODE[name])) == ("Привет, 世界 🎉\n".encode(), b"")


@pytest.mark.parametrize("name", NAMES)
def test_one_mib_of_output_is_complete(run: Run, name: str) -> None:
    completed = run(name, ONE_MIB[name])
    stdout, stderr = streams(completed)
    assert (verdict(completed)[0], len(stdout), stdout.strip(b"x"), stderr) == ("AC", MIB, b"", b"")
    assert completed.integrity == "complete"


@pytest.mark.parametrize("name", NAMES)
def test_output_over_the_limit_is_cut_and_marked(run: Run, name: str) -> None:
    completed = run(name, TOO_MUCH[name], limits=LimitOverrides(output_kb=64))
    assert completed.result.verdict in {"RE", "SIG"}
    assert (completed.result.cause, completed.result.actor) == ("ole_output_limit", "judge")
    assert completed.integrity == "truncated_by_judge_limit"
    assert streams(completed)[0] == b"y" * 65536
    assert completed.evidence is not None
    assert "close_stdout" in completed.evidence.judge_actions


@pytest.mark.parametrize("programs", [TOO_BIG, TOO_BIG_HEAP], ids=["buffers", "small objects"])
@pytest.mark.parametrize("name", NAMES)
def test_too_much_memory_is_mle_by_the_kernels_count(run: Run, name: str, programs: dict[str, str]) -> None:
    completed = run(name, programs[name], limits=LimitOverrides(memory_mb=128))
    assert verdict(completed) == ("MLE", "mle_kernel_oom", None, 9)
    assert completed.evidence is not None
    assert completed.evidence.cgroup is not None
    assert completed.evidence.cgroup.oom_kill_events > 0


@pytest.mark.parametrize("name", NAMES)
def test_memory_at_the_ceiling_is_mle_too(run: Run, name: str) -> None:
    assert verdict(run(name, TOO_BIG[name], limits=LimitOverrides(memory_mb=1024)))[:2] == ("MLE", "mle_kernel_oom")


@pytest.mark.parametrize("name", NAMES)
def test_garbage_is_collected_within_the_default_memory(run: Run, name: str) -> None:
    completed = run(name, GARBAGE[name])
    assert (verdict(completed)[0], streams(completed)) == ("AC", (b"ok\n", b""))


@pytest.mark.parametrize("name", NAMES)
def test_an_endless_loop_is_tle_by_cpu(run: Run, name: str) -> None:
    completed = run(name, ENDLESS[name], limits=LimitOverrides(cpu_time_secs=0.5))
    assert verdict(completed) == ("TLE", "tle_cpu_judge", None, 9)
    assert completed.metrics is not None
    assert completed.metrics.cpu_time_secs >= 0.5


@pytest.mark.parametrize("name", NAMES)
def test_sleeping_too_long_is_tle_by_the_wall(run: Run, name: str) -> None:
    completed = run(name, SLEEPING[name], limits=LimitOverrides(wall_time_secs=0.7))
    assert verdict(completed) == ("TLE", "tle_wall_judge", None, 9)
    assert completed.metrics is not None
    assert completed.metrics.divergence == "sleep_or_block_bound"


def test_javascript_runs_timers_promises_modules_and_node_apis(run: Run) -> None:
    code = """
    import { createHash } from 'node:crypto';
    import { readFile, writeFile } from 'node:fs/promises';
    await writeFile('note.txt', 'text');
    const texts = await Promise.all([...Array(40).keys()].map(() => readFile('note.txt', 'utf8')));
    setTimeout(() => console.log(texts.length, createHash('sha256').update('').digest('hex').slice(0, 8)), 1);
    """
    assert streams(run("javascript", code)) == (b"40 e3b0c442\n", b"")


def test_an_unknown_package_of_javascript_is_an_error_at_once(run: Run) -> None:
    completed = run("javascript", "import x from 'left-pad'")
    assert verdict(completed)[:3] == ("RE", "re_nonzero_exit", 1)
    assert b"left-pad" in streams(completed)[1]


def test_the_agent_profile_has_room_for_more_processes(run: Run) -> None:
    code = "import threading, time\nt = [threading.Thread(target=time.sleep, args=(0.2,)) for _ in range(30)]\n"
    code += "for x in t: x.start()\nfor x in t: x.join()\nprint('ok')"
    assert verdict(run("python", code))[0] == "PLE"
    assert streams(run("python", code, profile="agent"))[0] == b"ok\n"
