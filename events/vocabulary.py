"""The closed lists of words in requests, messages and results, as clients see them."""

from dataclasses import dataclass
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
    LUA = "lua"
    BASH = "bash"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageRow:
    """What differs between languages, and is no matter of the sandbox. `title`: the name in texts.

    `suffixes`: of files with programs. `aliases`: other names in requests, in lower case. `judge_wall_secs`: the
    default wall time. `judge_processes` and `agent_processes`: the ceilings of both profiles. `own_names`: of the main
    file and of compiled files, which no file of a request may have; that of Java is named after its class, which only
    the runner finds. `judge0_ids`: in the dialect of Judge0, which offers no language without one; first that of its
    version 1.13.1, then those of other versions, below 43 those of its Extra CE.
    """

    title: str
    suffixes: tuple[str, ...]
    judge_wall_secs: int
    judge_processes: int
    agent_processes: int
    own_names: frozenset[str]
    aliases: tuple[str, ...] = ()
    judge0_ids: tuple[int, ...] = ()


LANGUAGES = MappingProxyType(
    {
        Language.PYTHON: LanguageRow(
            title="Python",
            suffixes=(".py",),
            judge_wall_secs=7,
            judge_processes=10,
            agent_processes=64,
            own_names=frozenset({"solution.py"}),
            aliases=("py",),
            judge0_ids=(71, 92, 100, 109, 113, 10, 25, 33),
        ),
        Language.C: LanguageRow(
            title="C",
            suffixes=(".c",),
            judge_wall_secs=10,
            judge_processes=8,
            agent_processes=32,
            own_names=frozenset({"solution.c", "solution", ".headers"}),
            judge0_ids=(50, 48, 49, 103, 1),
        ),
        Language.CPP: LanguageRow(
            title="C++",
            suffixes=(".cpp", ".cc", ".cxx"),
            judge_wall_secs=10,
            judge_processes=8,
            agent_processes=32,
            own_names=frozenset({"solution.cpp", "solution", ".headers"}),
            aliases=("c++", "cxx", "cc"),
            judge0_ids=(52, 53, 54, 105, 2),
        ),
        Language.JAVA: LanguageRow(
            title="Java",
            suffixes=(".java",),
            judge_wall_secs=10,
            judge_processes=1024,
            agent_processes=512,
            own_names=frozenset({"solution.jar"}),
            judge0_ids=(62, 91, 4),
        ),
        Language.JAVASCRIPT: LanguageRow(
            title="JavaScript",
            suffixes=(".js", ".mjs"),
            judge_wall_secs=12,
            judge_processes=16,
            agent_processes=64,
            own_names=frozenset({"solution.js"}),
            aliases=("js",),
            judge0_ids=(63, 93, 97, 102),
        ),
        Language.TYPESCRIPT: LanguageRow(
            title="TypeScript",
            suffixes=(".ts",),
            judge_wall_secs=12,
            judge_processes=16,
            agent_processes=64,
            own_names=frozenset({"solution.ts"}),
            aliases=("ts",),
            judge0_ids=(74, 94, 101),
        ),
        Language.GO: LanguageRow(
            title="Go",
            suffixes=(".go",),
            judge_wall_secs=10,
            judge_processes=1024,
            agent_processes=512,
            own_names=frozenset({"solution.go", "solution", "main.a"}),
            judge0_ids=(60, 95, 106, 107),
        ),
        Language.RUST: LanguageRow(
            title="Rust",
            suffixes=(".rs",),
            judge_wall_secs=15,
            judge_processes=64,
            agent_processes=64,
            own_names=frozenset({"solution.rs", "solution"}),
            aliases=("rs",),
            judge0_ids=(73, 108),
        ),
        Language.LUA: LanguageRow(
            title="Lua",
            suffixes=(".lua",),
            judge_wall_secs=10,
            judge_processes=10,
            agent_processes=64,
            own_names=frozenset({"solution.lua"}),
            judge0_ids=(64,),
        ),
        Language.BASH: LanguageRow(
            title="Bash",
            suffixes=(".sh",),
            judge_wall_secs=10,
            judge_processes=32,
            agent_processes=64,
            own_names=frozenset({"solution.sh"}),
            aliases=("sh",),
            judge0_ids=(46,),
        ),
    }
)
ALIASES = MappingProxyType({alias: language for language, row in LANGUAGES.items() for alias in row.aliases})


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


class Profile(StrEnum):
    """The purpose of a run: short judged programs, or longer programs of an agent."""

    JUDGE = "judge"
    AGENT = "agent"


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
