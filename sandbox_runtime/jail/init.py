"""Process 1 of a run: mounts, files, the guest's start, its end. It lives outside the guest's memory group.

Init reports the program's raw wait status over the status pipe, then exits. Its exit makes the kernel kill and
reap everything else in the pid namespace, pid_namespaces(7); the supervisor sees that on init's pidfd.
"""

import os
import signal
import socket
import stat
import time

from sandbox_runtime.jail import mounts, program, syscalls
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.seccomp import Program
from sandbox_runtime.jail.wire import RunDescriptors, RunRequest, report

_HOSTNAME = "rustbox-sandbox"
_COPY_BYTES = 1 << 20


def _write_files(request: RunRequest, files_fd: int, uid: int) -> None:
    """Place the guest's files. No guest exists yet, and O_EXCL refuses a name that is there already."""
    offset = 0
    for name, size, executable in request.files:
        path = f"{mounts.WORKING_DIRECTORY}/{name}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            done = 0
            while done < size:
                done += os.sendfile(fd, files_fd, offset + done, size - done)
            # Mode before owner: afterwards only the owner may change it, and init keeps few capabilities.
            os.fchmod(fd, 0o755 if executable else 0o644)
            os.fchown(fd, uid, uid)
        finally:
            os.close(fd)
        offset += size
    os.chown(mounts.WORKING_DIRECTORY, uid, uid)


def _kill_all_others() -> None:
    """Only init is left when this returns."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return


def _copy_artifact(request: RunRequest, artifact_fd: int) -> str:
    """Copy the compiled file to the supervisor's descriptor. Returns "" or why not. All guests are dead by now."""
    directory = os.open(mounts.WORKING_DIRECTORY, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = syscalls.open_beneath(directory, request.artifact or "")
    except OSError as error:
        return f"open: {error.strerror}"
    finally:
        os.close(directory)
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return "not a regular file"
        if facts.st_size > request.artifact_max_bytes:
            return "too large"
        left = facts.st_size
        while left > 0 and (sent := os.sendfile(artifact_fd, fd, None, min(left, _COPY_BYTES))):
            left -= sent
        return "" if left == 0 else "shrank while it was read"
    finally:
        os.close(fd)


def run_init(
    request: RunRequest,
    descriptors: RunDescriptors,
    uid: int,
    filter_program: Program,
) -> None:
    """Never returns."""
    try:
        # If the template dies, so does the run.
        syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        program.enter_groups(descriptors.init_entries)
        socket.sethostname(_HOSTNAME)
        mounts.mount_private(request.limits.memory_bytes)
        _write_files(request, descriptors.files, uid)
        pid = os.fork()
        if pid == 0:
            program.become_program(request, descriptors, uid, filter_program)
        for fd in (descriptors.stdin, descriptors.stdout, descriptors.stderr):
            os.close(fd)
        syscalls.keep_capabilities((syscalls.CAP_KILL, syscalls.CAP_DAC_READ_SEARCH))
        status = -1
        while True:
            reaped, raw = os.waitpid(-1, 0)
            if reaped == pid:
                status = raw
                break
        ended_ns = time.monotonic_ns()
        artifact_error = None
        if request.artifact is not None and status == 0:
            _kill_all_others()
            artifact_error = _copy_artifact(request, descriptors.artifact)
        report(descriptors.status, kind="ended", wait_status=status, at_ns=ended_ns, artifact_error=artifact_error)
    except JailError as error:
        report(descriptors.status, kind="failed", step=f"{error.step} {error.target}".strip(), errno=error.errno)
    except OSError as error:
        report(descriptors.status, kind="failed", step="set up the run", errno=error.errno or 0)
    finally:
        os._exit(0)
