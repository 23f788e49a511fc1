"""The closed vocabulary of results, as clients see it."""

from enum import StrEnum


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
