"""Every combination of facts against docs/contract.md, section 4, written a second time, as a table: first match wins.

Nothing here is taken from the code under test but the types.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from events.vocabulary import Phase
from sandbox_runtime.classify import classify
from sandbox_runtime.jail.spec import Outcome, StopReason
from tests.runner_doubles import outcome

SIGXCPU, SIGXFSZ, SIGSYS = 24, 25, 31


@dataclass(frozen=True)
class Facts:
    """All that a verdict may depend on. `usage`: None where the groups' counters could not be read."""

    phase: str
    code: int | None
    signal: int | None
    stop: StopReason
    usage: tuple[int, int, int] | None  # OOM kills, events of the run's own limit, refused forks
    has_backend: bool
    left: int
    clean: bool
    stdout_cut: bool
    stderr_cut: bool
    artifact: bytes | None

    @property
    def cut(self) -> bool:
        return self.stdout_cut or self.stderr_cut

    @property
    def oom(self) -> bool:
        return self.usage is not None and self.usage[0] > 0

    @property
    def is_hosts(self) -> bool:
        return self.usage is not None and self.usage[0] > 0 and self.usage[1] == 0

    @property
    def refused(self) -> bool:
        return self.usage is not None and self.usage[2] > 0

    def outcome(self) -> Outcome:
        names = "oom_kill_events", "oom_events", "fork_refusals"
        counters = None if self.usage is None else dict(zip(names, self.usage, strict=True))
        evidence: dict[str, object] = {"leftover_processes": self.left, "cleanup_verified": self.clean}
        evidence["cgroup_backend"] = "cgroup_v2" if self.has_backend else None
        if counters is None:
            evidence["cgroup"] = None
        return outcome(
            exit_code=self.code,
            signal=self.signal,
            stop_reason=self.stop,
            stdout_cut=self.stdout_cut,
            stderr_cut=self.stderr_cut,
            artifact=self.artifact,
            usage=counters,
            evidence=evidence,
        )


NOTHING, KILLED, ITS_OWN = "no exit code, no signal", "no exit code, signal 9", "the program's own"
MEMORY, TIME = "compilation ran out of memory", "compilation ran out of time"
WAITED = "compilation was stopped: the compiler waited without working; do not include pipes or devices"
Row = tuple[Callable[[Facts], bool], tuple[str, str, str], str, str | None, str | None]
# Condition; verdict, cause, actor; how it ended; the message of a compile step, and of a run.
TABLE: list[Row] = [
    (
        lambda f: f.left > 0 or not f.clean,
        ("IE", "ie_cleanup_failure", "judge"),
        NOTHING,
        "the sandbox could not be cleaned up",
        "the sandbox could not be cleaned up",
    ),
    (lambda f: f.oom and not f.is_hosts, ("MLE", "mle_kernel_oom", "kernel"), KILLED, MEMORY, None),
    (
        lambda f: f.is_hosts and f.stop is not StopReason.CANCELLED,
        ("IE", "ie_host_overloaded", "judge"),
        NOTHING,
        "the host was out of memory: it killed a process of the run, which was below its own limit",
        "the host was out of memory: it killed a process of the run, which was below its own limit",
    ),
    (lambda f: f.stop is StopReason.OOM_KILL, ("MLE", "mle_kernel_oom", "kernel"), KILLED, MEMORY, None),
    (lambda f: f.stop is StopReason.MEMORY_THRASH, ("MLE", "mle_limit_breach", "judge"), KILLED, MEMORY, None),
    (lambda f: f.stop is StopReason.CPU_LIMIT, ("TLE", "tle_cpu_judge", "judge"), KILLED, TIME, None),
    (lambda f: f.stop is StopReason.WALL_LIMIT, ("TLE", "tle_wall_judge", "judge"), KILLED, TIME, None),
    (
        lambda f: f.stop is StopReason.CANCELLED,
        ("SIG", "cancelled", "judge"),
        KILLED,
        "the run was cancelled",
        "the run was cancelled",
    ),
    (
        lambda f: f.stop is StopReason.HOST_OVERLOADED,
        ("IE", "ie_host_overloaded", "judge"),
        NOTHING,
        "the host was too busy: the program lost its time to others",
        "the host was too busy: the program lost its time to others",
    ),
    (lambda f: f.stop is StopReason.IDLE, ("TLE", "tle_wall_judge", "judge"), KILLED, WAITED, WAITED),
    (
        lambda f: f.code is None and f.signal is None,
        ("IE", "ie_missing_evidence", "judge"),
        NOTHING,
        "the end of the run was not seen",
        "the end of the run was not seen",
    ),
    (
        lambda f: f.usage is None and f.has_backend,
        ("IE", "ie_missing_evidence", "judge"),
        NOTHING,
        "the usage of the run could not be read",
        "the usage of the run could not be read",
    ),
    (lambda f: f.signal == SIGXCPU, ("TLE", "tle_cpu_kernel", "kernel"), ITS_OWN, TIME, None),
    (
        lambda f: f.phase == "compile" and f.code == 0 and f.artifact is not None,
        ("AC", "normal_exit", "runtime"),
        ITS_OWN,
        None,
        None,
    ),
    (lambda f: f.phase == "compile", ("RE", "ce_compile_failed", "runtime"), ITS_OWN, "compilation failed", None),
    (lambda f: f.signal == SIGXFSZ, ("FSE", "fse_limit_exceeded", "kernel"), ITS_OWN, None, None),
    # From here on: a pipe that was closed at the output limit is the cause, and the verdict is as without it.
    (lambda f: f.signal is not None and f.cut, ("SIG", "ole_output_limit", "judge"), ITS_OWN, None, None),
    (lambda f: f.signal == SIGSYS, ("SIG", "seccomp_violation", "kernel"), ITS_OWN, None, None),
    (lambda f: f.signal is not None, ("SIG", "re_fatal_signal", "runtime"), ITS_OWN, None, None),
    (lambda f: f.code != 0 and f.refused and f.cut, ("PLE", "ole_output_limit", "judge"), ITS_OWN, None, None),
    (lambda f: f.code != 0 and f.refused, ("PLE", "ple_cgroup_pids", "kernel"), ITS_OWN, None, None),
    (lambda f: f.code != 0 and f.cut, ("RE", "ole_output_limit", "judge"), ITS_OWN, None, None),
    (lambda f: f.code != 0, ("RE", "re_nonzero_exit", "runtime"), ITS_OWN, None, None),
    (lambda f: f.cut, ("AC", "ole_output_limit", "judge"), ITS_OWN, None, None),
    (lambda _: True, ("AC", "normal_exit", "runtime"), ITS_OWN, None, None),
]
Answer = tuple[str, str, str, str, int | None, int | None, str | None, str]


def expected(facts: Facts) -> tuple[int, Answer]:
    """The number of the row, and all fields of the answer."""
    number, row = next((number, row) for number, row in enumerate(TABLE) if row[0](facts))
    _, (verdict, cause, actor), end, compile_message, run_message = row
    code: int | None = None
    signal: int | None = None
    if end is KILLED:
        signal = 9
    elif end is ITS_OWN:
        code, signal = (facts.code if facts.signal is None else 128 + facts.signal), facts.signal
    if verdict == "IE":
        integrity = "write_error"
    elif facts.cut:
        integrity = "truncated_by_judge_limit"
    else:
        integrity = "complete" if signal is None else "crash_mid_write"
    message = compile_message if facts.phase == "compile" else run_message
    if facts.phase == "run" and facts.cut and message is None:
        message = "the output is longer than its limit"
    return number, (verdict, cause, actor, facts.phase, code, signal, message, integrity)


def combinations() -> Iterator[Facts]:
    # Exit codes that a shell would give for time-outs and signals; a signal that the supervisor sends, too.
    ends: list[tuple[int | None, int | None]] = [(code, None) for code in (None, 0, 1, 124, 137, 152, 159)]
    ends += [(None, number) for number in (1, 6, 9, 11, 13, SIGXCPU, SIGXFSZ, SIGSYS, 64)]
    usages = [None, *((*kills, refused) for kills in ((0, 0), (0, 3), (1, 1), (1, 0)) for refused in (0, 2))]
    flags = (False, True)
    for phase, (code, signal), stop, usage, has_backend, left, clean, out, err, made in itertools.product(
        ("compile", "run"), ends, StopReason, usages, flags, (0, 1), flags, flags, flags, (None, b"program")
    ):
        yield Facts(phase, code, signal, stop, usage, has_backend, left, clean, out, err, made)


def test_every_combination_has_the_answer_of_the_contract() -> None:
    used = set()
    for facts in combinations():
        number, answer = expected(facts)
        used.add(number)
        found = classify(facts.outcome(), Phase(facts.phase))
        fields = (found.verdict, found.cause, found.actor, found.phase, found.exit_code, found.signal)
        assert (*fields, found.error_message, found.integrity) == answer, facts
    assert used == set(range(len(TABLE))), "every row of the table is used"
