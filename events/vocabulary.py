"""The closed lists of words in requests, messages and results, as clients see them."""

from enum import StrEnum
from types import MappingProxyType


class Language(StrEnum):
    """Canonical names, in listing order."""

    PYTHON = "python"
    C = "c"
    CPP = "cpp"
    JAVA = "java"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    GO = "go"
    RUST = "rust"
    BASH = "bash"


class Profile(StrEnum):
    """The purpose of a run: short judged programs, or longer programs of an agent."""

    JUDGE = "judge"
    AGENT = "agent"


ALIASES = MappingProxyType(
    {
        "py": Language.PYTHON,
        "c++": Language.CPP,
        "cxx": Language.CPP,
        "cc": Language.CPP,
        "js": Language.JAVASCRIPT,
        "ts": Language.TYPESCRIPT,
        "rs": Language.RUST,
        "sh": Language.BASH,
    }
)


def canonical(name: str) -> Language | None:
    """Return the language of a name or alias, in any case; None if it is unknown."""
    folded = name.casefold()
    alias = ALIASES.get(folded)
    if alias is not None:
        return alias
    try:
        return Language(folded)
    except ValueError:
        return None


class Verdict(StrEnum):
    """The class of a run's outcome. Clients switch on it; Cause has the details."""

    AC = "AC"
    RE = "RE"
    TLE = "TLE"
    MLE = "MLE"
    PLE = "PLE"
    FSE = "FSE"
    SIG = "SIG"
    IE = "IE"


class Cause(StrEnum):
    """The reason of the verdict."""

    NORMAL_EXIT = "normal_exit"
    RE_NONZERO_EXIT = "re_nonzero_exit"
    RE_FATAL_SIGNAL = "re_fatal_signal"
    SECCOMP_VIOLATION = "seccomp_violation"
    TLE_CPU_JUDGE = "tle_cpu_judge"
    TLE_WALL_JUDGE = "tle_wall_judge"
    TLE_CPU_KERNEL = "tle_cpu_kernel"
    MLE_KERNEL_OOM = "mle_kernel_oom"
    MLE_LIMIT_BREACH = "mle_limit_breach"
    PLE_CGROUP_PIDS = "ple_cgroup_pids"
    FSE_LIMIT_EXCEEDED = "fse_limit_exceeded"
    OLE_OUTPUT_LIMIT = "ole_output_limit"
    CE_COMPILE_FAILED = "ce_compile_failed"
    IE_CLEANUP_FAILURE = "ie_cleanup_failure"
    IE_SUPERVISOR_FAILURE = "ie_supervisor_failure"
    IE_MISSING_EVIDENCE = "ie_missing_evidence"
    IE_NOT_RUN = "ie_not_run"
    IE_HOST_OVERLOADED = "ie_host_overloaded"
    CANCELLED = "cancelled"
    CANCELLED_BEFORE_START = "cancelled_before_start"


CANCELLATIONS = (Cause.CANCELLED, Cause.CANCELLED_BEFORE_START)
"""Causes of runs that their project cancelled. They say nothing about the program, nor about the platform."""


class Actor(StrEnum):
    """The actor that ended the run: the program, the kernel, or our supervisor."""

    RUNTIME = "runtime"
    KERNEL = "kernel"
    JUDGE = "judge"


class Phase(StrEnum):
    """The step that produced the verdict."""

    COMPILE = "compile"
    RUN = "run"


class Integrity(StrEnum):
    """Whether the output is complete."""

    COMPLETE = "complete"
    TRUNCATED_BY_JUDGE_LIMIT = "truncated_by_judge_limit"
    TRUNCATED_BY_PROGRAM_CLOSE = "truncated_by_program_close"
    CRASH_MID_WRITE = "crash_mid_write"
    WRITE_ERROR = "write_error"


class Divergence(StrEnum):
    """The ratio of CPU time to wall time: >= 0.8, <= 0.2, between."""

    CPU_BOUND = "cpu_bound"
    SLEEP_OR_BLOCK_BOUND = "sleep_or_block_bound"
    MIXED = "mixed"


class Outcome(StrEnum):
    """Whether the answer of a case is right."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    PRESENTATION_ERROR = "presentation_error"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"
    JUDGE_ERROR = "judge_error"


class CheckerKind(StrEnum):
    """The kinds of comparisons of an output with the expected one."""

    LINES = "lines"
    EXACT = "exact"
    TOKENS = "tokens"
    PROGRAM = "program"
    INTERACTOR = "interactor"


class Protocol(StrEnum):
    """The conventions of checker programs for calls and findings."""

    TESTLIB = "testlib"
    KATTIS = "kattis"


class Stop(StrEnum):
    """Which cases are skipped after a case that failed."""

    NEVER = "never"
    FIRST_FAILURE = "first_failure"
    GROUP = "group"
