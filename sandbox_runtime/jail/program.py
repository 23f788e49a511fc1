"""The process that becomes the guest: from fork to exec. Runs in the jail, before any guest code.

Order: groups first (only root may enter), then the cgroup namespace (it takes the current groups as its root),
then limits, then identity, then the filter (it would refuse what came before), then the controls are measured and
compared with the floor, then the report, then exec.
"""

import os
import signal
import time

from sandbox_runtime.jail import evidence, identity, measure, rlimits
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.mounts import WORKING_DIRECTORY
from sandbox_runtime.jail.seccomp import Program
from sandbox_runtime.jail.terms import Terms
from sandbox_runtime.jail.wire import RunDescriptors, RunRequest, report

STATUS_FD = 3
_CANNOT_EXECUTE = 126  # sh(1)


def enter_groups(entry_fds: tuple[int, ...]) -> None:
    """Move this process by writing "0": see `cgroup.interface`."""
    for fd in entry_fds:
        os.write(fd, b"0")


def _confirm(controls: dict[str, bool], required: tuple[str, ...]) -> None:
    """Refuse to go on below the floor. No code of the guest has run. Raises JailError."""
    missing = evidence.not_in_force(controls, required)
    if missing:
        raise JailError("confirm controls", ", ".join(missing), hint="required but not in force; see `doctor`")


def _take_descriptors(descriptors: RunDescriptors, terms: Terms) -> None:
    """0, 1, 2 are the guest's streams, 3 is the status socket (closed by exec); everything else is closed."""
    for fd in (descriptors.stdout, descriptors.stderr):
        os.fchown(fd, terms.uid, terms.uid)  # a program may open /dev/stdout by its name
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


def _execute(request: RunRequest) -> None:
    """Never returns. Raises OSError when a program of the host cannot be started."""
    try:
        os.execve(request.argv[0], request.argv, dict(request.environment))  # noqa: S606 - this is the guest
    except OSError as error:
        if not request.argv[0].startswith(f"{WORKING_DIRECTORY}/"):
            raise
        # A guest's source decides what its compiler leaves: what cannot be started is its failure, as in a shell.
        os.write(2, f"{os.path.basename(request.argv[0])}: {error.strerror}\n".encode())
        os._exit(_CANNOT_EXECUTE)


def become_program(request: RunRequest, descriptors: RunDescriptors, terms: Terms, filter_program: Program) -> None:
    """Never returns. A failure is one line on the status socket, which the supervisor raises as JailError."""
    step = "enter groups"
    try:
        enter_groups(descriptors.program_entries)
        groups = measure.read_text("/proc/self/cgroup")
        step = "unshare cgroup namespace"
        os.unshare(os.CLONE_NEWCGROUP)
        step = "set up the process"
        os.setsid()
        _take_descriptors(descriptors, terms)
        os.chdir(WORKING_DIRECTORY)
        os.umask(0o022)
        _reset_signals()
        step = "set limits"
        rlimits.apply(request.limits)
        step = "become the guest"
        if terms.in_user_namespace:
            identity.become_guest_in_user_namespace()
        else:
            identity.become_guest(terms.uid)
        step = "load the filter"
        filter_program.load()
        step = "measure controls"
        controls = evidence.controls(measure.measure(request.limits, groups), terms)
        _confirm(controls, terms.required_controls)
        step = "exec " + request.argv[0]
        report(STATUS_FD, kind="ready", controls=controls, at_ns=time.monotonic_ns())
        _execute(request)
    except JailError as error:
        report(STATUS_FD, kind="failed", **error.facts)
    except OSError as error:
        report(STATUS_FD, kind="failed", **JailError(step, errno=error.errno or 0).facts)
    except (ValueError, TypeError) as error:
        report(STATUS_FD, kind="failed", **JailError(step, type(error).__name__).facts)
    finally:
        os._exit(255)
