"""The process that becomes the guest: from fork to exec. Runs in the jail, before any guest code.

Order: groups first (only root may enter), then the cgroup namespace (it takes the current groups as its root),
then limits, then identity, then the filter (it would refuse what came before), then the report, then exec.
"""

import os
import signal
import time

from sandbox_runtime.jail import identity, rlimits
from sandbox_runtime.jail.mounts import WORKING_DIRECTORY
from sandbox_runtime.jail.seccomp import Program
from sandbox_runtime.jail.wire import RunDescriptors, RunRequest, report

STATUS_FD = 3
NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "cgroup")
_STATUS_KEYS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")


def read_text(path: str) -> str:
    """A small file of /proc, without the cost of a text stream."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 8192).decode()
    finally:
        os.close(fd)


def enter_groups(entry_fds: tuple[int, ...]) -> None:
    """Move this process by writing "0": see `cgroup.interface`."""
    for fd in entry_fds:
        os.write(fd, b"0")


def _measure_controls(request: RunRequest, groups: str) -> dict[str, object]:
    """What is in force on this very process now. Nothing of it can be undone by exec or by the guest."""
    lines = (line.partition(":") for line in read_text("/proc/self/status").splitlines())
    status = {key: value.split() for key, _, value in lines if key in _STATUS_KEYS}
    return {
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES},
        "status": status,
        "groups": groups,
        "root_read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
        "rlimits": rlimits.in_force(request.limits),
    }


def _take_descriptors(descriptors: RunDescriptors) -> None:
    """0, 1, 2 are the guest's streams, 3 is the status pipe (closed by exec); everything else is closed."""
    os.dup2(descriptors.stdin, 0)
    os.dup2(descriptors.stdout, 1)
    os.dup2(descriptors.stderr, 2)
    os.dup2(descriptors.status, STATUS_FD, inheritable=False)
    os.closerange(STATUS_FD + 1, os.sysconf("SC_OPEN_MAX"))


def _reset_signals() -> None:
    """Python ignores SIGPIPE and SIGXFSZ, and ignored signals stay ignored over exec, execve(2)."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become_program(request: RunRequest, descriptors: RunDescriptors, uid: int, filter_program: Program) -> None:
    """Never returns. A failure is one line on the status pipe, which the supervisor raises as JailError."""
    step = "enter groups"
    try:
        enter_groups(descriptors.program_entries)
        groups = read_text("/proc/self/cgroup")
        step = "unshare cgroup namespace"
        os.unshare(os.CLONE_NEWCGROUP)
        step = "set up the process"
        os.setsid()
        _take_descriptors(descriptors)
        os.chdir(WORKING_DIRECTORY)
        os.umask(0o022)
        _reset_signals()
        step = "set limits"
        rlimits.apply(request.limits)
        step = "become the guest"
        identity.become_guest(uid)
        step = "load the filter"
        filter_program.load()
        step = "measure controls"
        controls = _measure_controls(request, groups)
        step = "exec " + request.argv[0]
        report(STATUS_FD, kind="ready", controls=controls, at_ns=time.monotonic_ns())
        os.execve(request.argv[0], request.argv, dict(request.environment))  # noqa: S606 - this is the guest
    except OSError as error:
        report(STATUS_FD, kind="failed", step=step, errno=error.errno or 0)
    finally:
        os._exit(255)
