"""The program's process from fork to exec, before any guest code.

The order matters:

1. Enter the groups; only root may do that.
2. Make the cgroup namespace: the current groups become its root.
3. Set the rlimits, then give up root, then load the filter, which would refuse the earlier steps.
4. Measure the controls and compare them with the floor.
5. A pre-warmed run waits here for its program.
6. Report, then exec; or run the script, if the template is a warm interpreter.
"""

import errno
import fcntl
import json
import marshal
import mmap
import os
import signal
import socket
import time
from collections.abc import Mapping
from typing import NoReturn

from sandbox_runtime.jail import evidence
from sandbox_runtime.jail.controls import identity, mounts, rlimits
from sandbox_runtime.jail.controls.mounts import WORKING_DIRECTORY
from sandbox_runtime.jail.controls.own_inodes import show_files
from sandbox_runtime.jail.controls.seccomp import Program
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.inside.small_init import SmallInit
from sandbox_runtime.jail.protocol import (
    FAILURES,
    REQUEST_BYTES,
    STATUS_AT,
    FilesTable,
    RunDescriptors,
    RunRequest,
    Terms,
    read_request,
    report_descriptors,
    report_failure,
)
from sandbox_runtime.jail.python_fork.fork import PythonFork

# Properties that a process inherits over fork and exec, and that no guest may get from the runner.

# An interpreter ignores these itself.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def forget_inherited() -> None:
    """In the template: reset the inherited properties. Raises JailError."""
    _reset_signals()
    _reset_priority()


def _reset_signals() -> None:
    """A shell's background job ignores SIGINT, and `nohup` SIGHUP. Where SIGCHLD is ignored, wait(2) finds no child."""
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN and number not in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _reset_priority() -> None:
    """A real-time guest would stop everything else on its CPU, and cannot enter a CPU cgroup v1, sched(7)."""
    try:
        if os.sched_getscheduler(0) in {os.SCHED_FIFO, os.SCHED_RR}:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if os.getpriority(os.PRIO_PROCESS, 0) < 0:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
    except OSError as error:
        raise JailError("reset priority", errno=error.errno or 0) from error


def reset_for_exec() -> None:
    """In a run's process: reset the interpreter's signal dispositions. Exec resets handlers by itself."""
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)


# Set-up steps of a run that need root: host name, mounts, files. Call them in the run's own namespaces.


def place(files: FilesTable, files_fd: int, owner: int | None) -> None:
    """Write the files from `files_fd`. `owner`: user and group id; None: the caller owns them."""
    offset = 0
    for name, size, executable in files:
        _write(f"{WORKING_DIRECTORY}/{name}", files_fd, offset, size, 0o755 if executable else 0o644, owner)
        offset += size


def place_inputs(request: RunRequest, descriptors: RunDescriptors, owner: int) -> None:
    """Write the files of a request, show the read-only ones of its folder, and give the guest the working directory.

    Call it as root, in the guest's memory group, before guest code exists. The copies then count as the guest's memory.
    Raises OSError and JailError.
    """
    offset = sum(size for _, size, _ in request.files)
    shown, folders = {}, [WORKING_DIRECTORY]
    for path, size, read_only, sha256 in request.inputs:
        target = f"{WORKING_DIRECTORY}/{path}"
        folders += _made_folders(path)
        # Root owns a read-only file, so that the guest cannot change its mode.
        mode, file_owner = (0o444, None) if read_only else (0o644, owner)
        if not sha256:
            _write(target, descriptors.streams.files, offset, size, mode, file_owner)
            offset += size
        elif read_only:
            # Nobody reads the empty file below the mount: who collects files must meet no other one when it is gone.
            _write(target, descriptors.streams.files, 0, 0, 0, file_owner)
            shown[target] = sha256
        else:
            stored = os.open(sha256, os.O_RDONLY | os.O_CLOEXEC, dir_fd=descriptors.inputs_folder[0])
            try:
                _write(target, stored, 0, size, mode, file_owner)
            finally:
                os.close(stored)
    if shown:
        show_files(descriptors.inputs_folder[0], shown)
    # At last: root in a container may have no right to write into folders of others.
    for folder in folders:
        os.chown(folder, owner, owner)


def _made_folders(path: str) -> list[str]:
    """Make the missing folders of a relative path. Only we have made folders here, so no link leads elsewhere."""
    folder, made = WORKING_DIRECTORY, []
    for part in path.split("/")[:-1]:
        folder = f"{folder}/{part}"
        try:
            os.mkdir(folder, 0o755)
        except FileExistsError:
            continue
        os.chmod(folder, 0o755)  # noqa: S103 - whatever the umask is
        made.append(folder)
    return made


def _write(path: str, source: int, offset: int, size: int, mode: int, owner: int | None) -> None:
    # No guest exists yet, and O_EXCL refuses a name that is there already.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        done = 0
        while done < size:
            sent = os.sendfile(fd, source, offset + done, size - done)
            if not sent:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)  # the source is shorter than the table says
            done += sent
        # Mode before owner: afterwards only the owner may change it, and init keeps few capabilities.
        os.fchmod(fd, mode)
        if owner is not None:
            os.fchown(fd, owner, owner)
    finally:
        os.close(fd)


_HOSTNAME = "rustbox-sandbox"


def set_up(request: RunRequest, descriptors: RunDescriptors, terms: Terms) -> None:
    """Do all set-up that needs root. Call it before guest code exists."""
    socket.sethostname(_HOSTNAME)
    # A tmpfs is filled by whole pages.
    placed_bytes = sum(size + mmap.PAGESIZE for _, size, _ in request.files)
    # The memory limit bounds those of a request, not the size of the file system.
    placed_bytes += sum(size + mmap.PAGESIZE for _, size, _, _ in request.inputs)
    mounts.mount_private(request.limits.memory_bytes, placed_bytes)
    place(request.files, descriptors.streams.files, terms.uid)
    if not request.inputs:  # else `place_inputs` does so
        os.chown(WORKING_DIRECTORY, terms.uid, terms.uid)


type Variables = tuple[tuple[str, str], ...]

_FIRST_FD = 3
_ALL_IN_FORCE = dict.fromkeys(evidence.CONTROLS, True)
_ALL_AS_JSON = json.dumps(_ALL_IN_FORCE)
_CANNOT_EXECUTE = 126  # sh(1)


def enter_groups(entry_fds: tuple[int, ...]) -> None:
    """Move this process by writing "0": see `cgroup.interface`."""
    for fd in entry_fds:
        os.write(fd, b"0")


def _confirm(controls: dict[str, bool], required: tuple[str, ...]) -> None:
    """Raise JailError if a required control is not in force. No guest code has run yet."""
    missing = evidence.not_in_force(controls, required)
    if missing:
        raise JailError("confirm controls", ", ".join(missing), hint="required but not in force; see `doctor`")


def _take_descriptors(descriptors: RunDescriptors, *, is_prewarmed: bool) -> int:
    """Make the guest's streams 0, 1 and 2, and close all other descriptors. Returns the status socket (close-on-exec).

    A pre-warmed run keeps its files until it has placed them.
    A waiting command gets its socket and its files, and closes them itself.
    """
    streams = descriptors.streams
    for number, fd in enumerate((streams.stdin, streams.stdout, streams.stderr)):
        os.dup2(fd, number)
    kept = [*descriptors.command_socket]
    if kept or is_prewarmed:
        kept.append(streams.files)
    kept.append(descriptors.status)
    end = _FIRST_FD + len(kept)
    # Move them to high numbers first: one of them may have the number that another one must get.
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, end) for fd in kept]
    for number, fd in enumerate(moved, _FIRST_FD):
        os.dup2(fd, number, inheritable=bool(descriptors.command_socket) and number < end - 1)
    os.closerange(end, os.sysconf("SC_OPEN_MAX"))
    return end - 1


def _await_files(status: int) -> Variables:
    """Wait for the table of files, and write the files as the guest's user, with all controls in force.

    The message also says whether the supervisor needs the working directory. Returns the variables of the run, which
    come with it.
    """
    message = os.read(status, REQUEST_BYTES)
    if not message:
        os._exit(0)  # the supervisor has discarded this run
    files, variables, needs_box = marshal.loads(message)  # noqa: S302 - our own bytes, see `protocol`
    place(files, _FIRST_FD, None)
    os.close(_FIRST_FD)
    if needs_box:
        _send_box(status)
    own: Variables = variables
    return own


def _enter_working_directory(status: int, *, needs_box: bool) -> None:
    os.chdir(WORKING_DIRECTORY)
    os.umask(0o022)
    if needs_box:
        _send_box(status)


def _send_box(status: int) -> None:
    """Send the supervisor a descriptor of the working directory. It can open nothing outside with it."""
    fd = os.open(WORKING_DIRECTORY, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    report_descriptors(status, "box", [fd])
    os.close(fd)


def _execute(request: RunRequest, variables: Variables) -> None:
    """Never returns. Raises OSError when a program of the host cannot be started."""
    try:
        os.execve(request.argv[0], request.argv, dict((*request.environment, *variables)))  # noqa: S606 - this is the guest
    except OSError as error:
        if not request.argv[0].startswith(f"{WORKING_DIRECTORY}/"):
            raise
        # The guest's source determines its compiled file, so a file that cannot be started is the guest's failure.
        os.write(2, f"{os.path.basename(request.argv[0])}: {error.strerror}\n".encode())
        os._exit(_CANNOT_EXECUTE)


def report_ready(status: int, controls: dict[str, bool]) -> None:
    """Report the controls to the supervisor. The common JSON is precomputed: new objects cost a forked process much."""
    in_force = _ALL_AS_JSON if controls == _ALL_IN_FORCE else json.dumps(controls)
    os.write(status, f'{{"kind": "ready", "at_ns": {time.monotonic_ns()}, "controls": {in_force}}}'.encode())


def _start(request: RunRequest, variables: Variables, fork: PythonFork | None, status: int) -> None:
    """Never returns."""
    if fork is None:
        reset_for_exec()
        _execute(request, variables)
    else:
        os.close(status)  # exec would have done so
        fork.run()


def _enter_all_groups(descriptors: RunDescriptors) -> str:
    """Return the groups as /proc shows them before the cgroup namespace hides their paths."""
    enter_groups(descriptors.program_entries)
    groups = evidence.read_text("/proc/self/cgroup")
    os.unshare(os.CLONE_NEWCGROUP)
    return groups


def become_program(
    request: RunRequest,
    descriptors: RunDescriptors,
    terms: Terms,
    filter_program: Program,
    fork: PythonFork | None,
) -> None:
    """Become the guest. Never returns. Reports a failure on the status socket, and the supervisor raises JailError."""
    step, status, variables = "enter groups", descriptors.status, request.variables
    try:
        groups = _enter_all_groups(descriptors)
        if request.inputs:
            step = "place the files"
            place_inputs(request, descriptors, terms.uid)
        step = "set up the process"
        os.setsid()
        status = _take_descriptors(descriptors, is_prewarmed=request.is_prewarmed)
        _enter_working_directory(status, needs_box=request.needs_box)
        step = "set limits"
        rlimits.apply(request.limits, with_file_size=not request.is_prewarmed)
        step = "become the guest"
        identity.become_guest(terms.uid)
        if terms.cpus:  # from here on it need not stay on the CPU of the template
            os.sched_setaffinity(0, terms.cpus)
        step = "load the filter"
        filter_program.load()
        step = "measure controls"
        controls = evidence.controls(evidence.measure(request.limits, groups), terms)
        if not request.is_prewarmed:
            _confirm(controls, terms.required_controls)
        if fork is not None and not fork.matches(request.argv, request.environment, request.inputs):
            fork = None
        if fork is not None:
            step = "get the interpreter ready"
            fork.get_ready(is_prewarmed=request.is_prewarmed)
        if request.is_prewarmed:
            step = "wait for the program"
            variables = _await_files(status)
            # Only now: the compiled program may be larger than the guest's file size limit.
            rlimits.apply_file_size(request.limits)
            controls["rlimits"] = rlimits.in_force(request.limits)
            _confirm(controls, terms.required_controls)
        if fork is not None and variables:
            step = "set variables"
            fork = fork.with_variables(variables)
        step = "start " + request.argv[0]
        report_ready(status, controls)
        _start(request, variables, fork, status)
    except FAILURES as error:
        report_failure(status, error, step)
    finally:
        os._exit(255)


def _confirm_entered(request: RunRequest) -> None:
    """Check that init has exactly one group, because the small init enters only the first. Raises JailError."""
    if request.init_entries != 1:
        raise JailError("enter groups", hint=f"the small init enters one group, not {request.init_entries}")


def become_program_of_small_init(
    small: SmallInit, fds: list[int], terms: Terms, filters: Mapping[str, Program], fork: PythonFork | None
) -> NoReturn:
    """Do the set-up that the small init cannot do, then become the guest. Never returns. `fds`: see `init.run_init`."""
    status = fds[STATUS_AT]
    try:
        request, descriptors = read_request(fds)
        _confirm_entered(request)
        set_up(request, descriptors, terms)
        small.wait_for_init()  # as late as possible: init is most likely ready by now
        become_program(request, descriptors, terms, filters[request.family], fork)
    except FAILURES as error:
        report_failure(status, error, "set up the run")
    finally:
        os._exit(255)
