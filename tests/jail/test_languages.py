"""One small program for each case and language in the real jail: output exact, verdict right."""

from collections.abc import Callable, Mapping

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from sandbox_runtime.languages import LANGUAGES, Language
from tests.choice import whole_but
from tests.completions import ended, streams
from tests.jail.language_programs.table import COMPILED, NAMES, ONE_OF_EACH_KIND, PROGRAMS, cpu_secs, wall_secs

MIB = 1 << 20
BY_NAME = {language.name: language for language in LANGUAGES}
BEFORE = b"before\n"
Run = Callable[..., ExecutionCompleted]
every_language = pytest.mark.parametrize("name", NAMES)
one_of_each_kind = pytest.mark.parametrize("name", ONE_OF_EACH_KIND)


def test_every_language_has_a_program_for_every_case() -> None:
    assert list(PROGRAMS) == list(BY_NAME)
    assert {name: sorted(programs) for name, programs in PROGRAMS.items()} == dict.fromkeys(
        BY_NAME, sorted(PROGRAMS["python"])
    )


def test_every_language_works_on_this_host(languages: Mapping[str, Language]) -> None:
    assert [name for name in languages if name in NAMES] == NAMES


@every_language
def test_a_first_program_is_accepted_in_strict_isolation(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["hello"])
    assert (ended(completed), streams(completed)) == (("AC", "normal_exit", 0, None), (b"42\n", b""))
    assert completed.integrity == "complete"
    assert completed.metrics is not None
    assert (completed.metrics.compile_ms is not None) == (name in COMPILED)
    assert completed.metrics.memory_peak_bytes < 64 * MIB, "a toolchain's own files are not the program's memory"
    assert completed.evidence is not None
    assert completed.evidence.isolation_mode == "strict"


@one_of_each_kind
@pytest.mark.parametrize("stdin", [b"", b"1 2\n", bytes(range(256)) * 4096], ids=["empty", "short", "1 MiB binary"])
def test_stdin_and_output_of_one_mib_arrive_exact(run: Run, name: str, stdin: bytes) -> None:
    completed = run(name, PROGRAMS[name]["echo"], stdin=stdin)
    assert (ended(completed)[0], streams(completed)) == ("AC", (stdin, b""))
    assert completed.integrity == "complete"


@one_of_each_kind
def test_a_nonzero_exit_is_a_runtime_error(run: Run, name: str) -> None:
    assert ended(run(name, PROGRAMS[name]["exit_7"])) == ("RE", "re_nonzero_exit", 7, None)


@one_of_each_kind
def test_unicode_in_names_and_output_is_exact(run: Run, name: str) -> None:
    assert streams(run(name, PROGRAMS[name]["unicode"])) == ("Привет, 世界 🎉\n".encode(), b"")


def test_a_program_uses_more_memory_than_the_standard_ceiling(run: Run) -> None:
    code = "whole = b'x' * (1100 << 20)\nprint(len(whole) >> 20)"
    completed = run("python", code, limits=RequestedLimits(memory_mb=4096))
    assert (ended(completed)[0], streams(completed)[0]) == ("AC", b"1100\n")
    assert completed.evidence is not None
    assert completed.evidence.cgroup is not None
    assert completed.evidence.cgroup.memory_limit_bytes == 4096 * MIB
    assert completed.evidence.cgroup.memory_peak_bytes > 1100 * MIB


@pytest.mark.parametrize("more", [0, 1])
def test_the_largest_output_that_an_operator_may_allow_is_complete(run: Run, more: int) -> None:
    code = f"import sys\nsys.stdout.write('x' * ({8 * MIB} + {more}))\n"
    completed = run("python", code, limits=RequestedLimits(output_kb=8192))
    assert streams(completed)[0] == b"x" * (8 * MIB)
    cause = completed.result.cause, completed.result.error_message, completed.integrity
    if more:
        assert cause == ("ole_output_limit", "the output is longer than its limit", "truncated_by_judge_limit")
    else:
        assert cause == ("normal_exit", None, "complete")


@one_of_each_kind
def test_output_over_the_limit_is_cut_and_marked(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["flood"], limits=RequestedLimits(output_kb=64))
    assert completed.result.verdict in {"RE", "SIG"}
    assert (completed.result.cause, completed.result.actor) == ("ole_output_limit", "judge")
    assert completed.integrity == "truncated_by_judge_limit"
    assert streams(completed)[0] == b"before\n".ljust(65536, b"y")
    assert completed.evidence is not None
    assert "close_stdout" in completed.evidence.judge_actions


UNCAUGHT = {
    "python": (("RE", "re_nonzero_exit", 1, None), b'File "/box/solution.py", line 4'),
    "c": (("SIG", "re_fatal_signal", 134, 6), b""),
    "cpp": (("SIG", "re_fatal_signal", 134, 6), b"std::runtime_error'\n  what():  broken\n"),
    "java": (
        ("RE", "re_nonzero_exit", 1, None),
        b"java.lang.IllegalStateException: broken\n\tat Main.main(Main.java:6)\n",
    ),
    "javascript": (("RE", "re_nonzero_exit", 1, None), b"solution.js:2"),
    "typescript": (("RE", "re_nonzero_exit", 1, None), b"solution.ts:3"),
    "go": (("RE", "re_nonzero_exit", 2, None), b"./solution.go:5 "),
    "rust": (("RE", "re_nonzero_exit", 101, None), b"panicked at solution.rs:4:33:\nbroken\n"),
    "lua": (("RE", "re_nonzero_exit", 1, None), b"lua5.4: solution.lua:2: broken\nstack traceback:"),
    "bash": (("RE", "re_nonzero_exit", 1, None), b"solution.sh: line 4: missing: unbound variable"),
}


@every_language
def test_an_uncaught_exception_shows_its_line_after_the_output(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["throw"])
    expected, place = UNCAUGHT[name]
    stdout, stderr = streams(completed)
    assert (ended(completed), stdout) == (expected, b"before\n")
    assert place in stderr


ENDLESS_RECURSION = {
    "python": ("RE", 1, None, b"RecursionError"),
    "c": ("SIG", 139, 11, b""),
    "cpp": ("SIG", 139, 11, b""),
    "java": ("RE", 1, None, b"java.lang.StackOverflowError"),
    "javascript": ("RE", 1, None, b"RangeError"),
    "typescript": ("RE", 1, None, b"RangeError"),
    # Its stack may grow to 1 GB: the memory limit comes first.
    "go": ("MLE", None, 9, b""),
    "rust": ("SIG", 134, 6, b"has overflowed its stack"),
    "lua": ("RE", 1, None, b"solution.lua:1: stack overflow"),
    "bash": ("SIG", 139, 11, b""),
}


@one_of_each_kind
def test_an_endless_recursion_ends_as_it_does_outside(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["recursion"])
    wanted, exit_code, number, message = ENDLESS_RECURSION[name]
    assert (completed.result.verdict, completed.result.exit_code, completed.result.signal) == (
        wanted,
        exit_code,
        number,
    )
    stdout, stderr = streams(completed)
    assert (stdout, message in stderr) == (b"before\n", True)


DEPTHS = {"python": b"900\n", "bash": b"3000\n", "javascript": b"5000\n", "typescript": b"5000\n"}


@one_of_each_kind
def test_a_deep_recursion_fits_the_stack(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["deep"])
    assert (ended(completed)[0], streams(completed)) == ("AC", (DEPTHS.get(name, b"50000\n"), b""))


THREADS = {"c": b"15\n", "cpp": b"15\n", "javascript": b"6\n", "typescript": b"6\n"}


@one_of_each_kind
def test_threads_within_the_limit_start(run: Run, name: str) -> None:
    """Eight, or as many as the process limit of the language leaves: six of C and C++, four workers of Bun."""
    completed = run(name, PROGRAMS[name]["threads"])
    assert (ended(completed)[0], streams(completed)) == ("AC", (THREADS.get(name, b"28\n"), b""))


# Some runtimes have a score of threads of their own.
FEW_PROCESSES = {"java": 64, "go": 64, "rust": 16}


# How a program that does not handle a refused thread ends: exit code, and words in stderr.
REFUSED_THREAD: Mapping[str, tuple[int, bytes]] = {
    "python": (1, b"can't start new thread"),
    "java": (1, b"java.lang.OutOfMemoryError: unable to create native thread"),
    "javascript": (1, b"EAGAIN"),
    "typescript": (1, b"EAGAIN"),
    "go": (2, b"failed to create new OS thread"),
    "rust": (101, b"failed to spawn thread"),
    "lua": (1, b"Resource temporarily unavailable"),
    "bash": (254, b"fork: Resource temporarily unavailable"),
}
_ORDINARY_END = (1, b"")


@one_of_each_kind
def test_a_thread_too_many_is_ple_by_the_groups_count(run: Run, name: str) -> None:
    # Bash tries a refused fork again for 15 seconds.
    limits = RequestedLimits(
        max_processes=FEW_PROCESSES.get(name), wall_time_secs=wall_secs(25) if name == "bash" else None
    )
    completed = run(name, PROGRAMS[name]["thread_bomb"], limits=limits)
    exit_code, words = REFUSED_THREAD.get(name, _ORDINARY_END)
    assert ended(completed) == ("PLE", "ple_cgroup_pids", exit_code, None)
    assert words in streams(completed)[1]
    assert completed.evidence is not None
    assert completed.evidence.teardown.cleanup_verified


IMITATIONS = {
    "python": 'import sys; sys.exit("RuntimeError: can\'t start new thread")',
    "go": 'package main\nimport "os"\nfunc main() { println("runtime: failed to create new OS thread"); os.Exit(2) }',
}


@pytest.mark.parametrize("name", [name for name in IMITATIONS if name in NAMES])
def test_the_signs_of_a_refused_thread_without_a_refusal_are_an_ordinary_error(run: Run, name: str) -> None:
    completed, (exit_code, words) = run(name, IMITATIONS[name]), REFUSED_THREAD[name]
    assert ended(completed) == ("RE", "re_nonzero_exit", exit_code, None)
    assert words in streams(completed)[1]


@one_of_each_kind
@pytest.mark.parametrize("case", ["buffers", "objects"])
def test_too_much_memory_is_mle_by_the_kernels_count(run: Run, name: str, case: str) -> None:
    completed = run(name, PROGRAMS[name][case], limits=RequestedLimits(memory_mb=128))
    found, cause, exit_code, signal = ended(completed)
    assert (found, exit_code, signal) == ("MLE", None, 9)
    # Bun may live on evicting its own program text until the supervisor kills it.
    thrashes = name in {"javascript", "typescript"}
    assert cause in {"mle_kernel_oom", *(["mle_limit_breach"] if thrashes else [])}
    assert streams(completed)[0] == BEFORE, "what was printed before a kill is never lost"
    assert completed.evidence is not None
    assert completed.evidence.cgroup is not None
    assert (completed.evidence.cgroup.oom_kill_events > 0) == (cause == "mle_kernel_oom")


@pytest.mark.parametrize(
    "name", whole_but([name for name in ("c", "java", "javascript", "go") if name in NAMES], ["c"])
)
def test_memory_at_the_ceiling_is_mle_too(run: Run, name: str) -> None:
    """A runtime whose own pages are evicted may thrash before the kernel kills; the supervisor ends that as MLE."""
    completed = run(name, PROGRAMS[name]["buffers"], limits=RequestedLimits(memory_mb=1024))
    assert ended(completed)[:2] in {("MLE", "mle_kernel_oom"), ("MLE", "mle_limit_breach")}
    assert streams(completed)[0] == BEFORE


@one_of_each_kind
def test_garbage_is_collected_within_the_default_memory(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["garbage"])
    assert (ended(completed)[0], streams(completed)) == ("AC", (b"ok\n", b""))


@one_of_each_kind
def test_an_endless_loop_is_tle_by_cpu(run: Run, name: str) -> None:
    limit_secs = cpu_secs(0.5)
    completed = run(name, PROGRAMS[name]["endless"], limits=RequestedLimits(cpu_time_secs=limit_secs))
    assert (ended(completed), streams(completed)[0]) == (("TLE", "tle_cpu_judge", None, 9), BEFORE)
    assert completed.metrics is not None
    assert completed.metrics.cpu_time_secs >= limit_secs


@one_of_each_kind
def test_sleeping_too_long_is_tle_by_the_wall_and_keeps_the_output(run: Run, name: str) -> None:
    # Within it, the output must come. A JVM starts slowly on a busy machine.
    limit_secs = wall_secs(3 if name == "java" else 1)
    completed = run(name, PROGRAMS[name]["sleep"], limits=RequestedLimits(wall_time_secs=limit_secs))
    assert ended(completed) == ("TLE", "tle_wall_judge", None, 9)
    assert streams(completed)[0] == BEFORE
    assert completed.metrics is not None
    assert completed.metrics.divergence == "sleep_or_block_bound"


@one_of_each_kind
def test_a_warning_is_no_failure_and_is_not_shown_as_the_programs_output(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["warning"])
    stdout, stderr = streams(completed)
    assert (ended(completed)[0], stdout) == ("AC", b"ok\n")
    assert stderr == b"" or name == "python", "Python itself warns while it runs"


BROKEN = {
    "python": b'  File "solution.py", line 3\n    x = = 1\n',
    "c": b"solution.c:2:12: error:",
    "cpp": b"solution.cpp:3:26: error:",
    "java": b"Main.java:3: error:",
    "javascript": b"solution.js:3:11",
    "typescript": b"solution.ts:3:19",
    "go": b"./solution.go:4:2: declared and not used: x",
    "rust": b" --> solution.rs:2:18",
    "lua": b"lua5.4: solution.lua:3: unexpected symbol near '='",
    "bash": b"solution.sh: line 3: syntax error near unexpected token",
}
EXIT_CODES = {"go": 2, "bash": 2}


@every_language
def test_the_error_of_a_broken_source_names_its_line(run: Run, name: str) -> None:
    completed = run(name, PROGRAMS[name]["broken"])
    stdout, stderr = streams(completed)
    assert (stdout, BROKEN[name] in stderr) == (b"", True), stderr
    if name in {"javascript", "typescript", "bash"}:
        exit_code = EXIT_CODES.get(name, 1)
        assert (ended(completed), completed.result.phase) == (("RE", "re_nonzero_exit", exit_code, None), "run")
        return
    assert ended(completed) == ("RE", "ce_compile_failed", EXIT_CODES.get(name, 1), None)
    assert (completed.result.phase, completed.result.error_message) == ("compile", "compilation failed")
    assert stderr.startswith(f"{name} Compilation Error:\n".encode())
    assert not any(path in stderr for path in (b"/box", b"/usr/", b"/opt/", b"/tmp/"))


@one_of_each_kind
def test_a_program_sees_the_rlimits_of_its_language(run: Run, name: str) -> None:
    completed, language = run(name, PROGRAMS[name]["limits"]), BY_NAME[name]
    rows = {line[:26].strip(): line[26:].split() for line in streams(completed)[0].decode().splitlines()[1:] if line}
    limits = language.profiles["judge"].limits
    expected = {
        "Max file size": limits.max_file_bytes,
        "Max processes": limits.max_processes,
        "Max open files": limits.max_open_files,
        "Max core file size": 0,
    }
    assert {name: rows[name][:2] for name in expected} == {name: [str(value)] * 2 for name, value in expected.items()}


def test_the_agent_profile_allows_more_processes(run: Run) -> None:
    code = "import threading\ngo = threading.Event()\n"
    code += "t = [threading.Thread(target=go.wait, daemon=True) for _ in range(30)]\n"
    code += "for x in t: x.start()\ngo.set()\nfor x in t: x.join()\nprint('ok')"
    assert ended(run("python", code))[0] == "PLE"
    assert streams(run("python", code, profile="agent"))[0] == b"ok\n"
