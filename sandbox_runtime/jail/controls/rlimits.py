"""Resource limits, setrlimit(2), in addition to the cgroup limits."""

import math
import os
import resource

from sandbox_runtime.jail.spec import Limits

# The kernel refuses a mapping that is larger than the memory of the host, and with it the stack of a thread. Never
# RLIM_INFINITY: the kernel would choose another address layout.
_MOST_STACK_BYTES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
_LOCKED_BYTES = 64 << 10
# Of the guest's user, with POSIX timers. Timers that end together interrupt a CPU one after the other.
_PENDING_SIGNALS = 1024
_CPU_GRACE_SECS = 1  # the supervisor's kill comes first; SIGXCPU is the second line

Rlimit = tuple[int, int]


def rlimits(limits: Limits) -> dict[int, Rlimit]:
    """Return (soft, hard) by resource number."""
    cpu_secs = math.ceil(limits.cpu_time_secs) + _CPU_GRACE_SECS
    both = {
        resource.RLIMIT_CPU: cpu_secs,
        resource.RLIMIT_FSIZE: limits.max_file_bytes,
        resource.RLIMIT_NPROC: limits.process_bound,
        resource.RLIMIT_NOFILE: limits.max_open_files,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: min(limits.stack_bytes, _MOST_STACK_BYTES),
        resource.RLIMIT_MEMLOCK: _LOCKED_BYTES,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: _PENDING_SIGNALS,
        # No priority over others: no real-time scheduling, and no nice value below 0 (20 minus the limit).
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
    }
    # One second between soft and hard: SIGXCPU must come before SIGKILL, setrlimit(2).
    return {key: (value, value + (key == resource.RLIMIT_CPU)) for key, value in both.items()}


def apply(limits: Limits, *, with_file_size: bool = True) -> None:
    """Set the limits on this process. It needs no capability, because hard limits are only lowered.

    A process that must still write its files leaves the file size limit to `apply_file_size`.
    """
    for key, values in rlimits(limits).items():
        if with_file_size or key != resource.RLIMIT_FSIZE:
            _lower(key, *values)


def apply_file_size(limits: Limits) -> None:
    """Set the file size limit that `apply` left out."""
    _lower(resource.RLIMIT_FSIZE, *rlimits(limits)[resource.RLIMIT_FSIZE])


def _lower(key: int, soft: int, hard: int) -> None:
    current_hard = resource.getrlimit(key)[1]
    if current_hard != resource.RLIM_INFINITY:
        soft, hard = min(soft, current_hard), min(hard, current_hard)
    resource.setrlimit(key, (soft, hard))


def in_force(limits: Limits) -> bool:
    """Whether this process has no more than these limits."""
    for key, (soft, hard) in rlimits(limits).items():
        own_soft, own_hard = resource.getrlimit(key)
        if not (0 <= own_soft <= soft and 0 <= own_hard <= hard):
            return False
    return True
