"""The program's process from fork to exec, before any guest code.

The order matters:

1. Enter the groups; only root may do that.
2. Make the cgroup namespace: the current groups become its root.
3. Set the rlimits, then give up root, then load the filter, which would refuse the earlier steps.
4. Measure the controls and compare them with the floor.
5. A pre-warmed run waits here for its program.
6. Report, then exec; or run the script, if the template is a warm interpreter.
"""

import fcntl
import json
import marshal
import os
import time
from collections.abc import Mapping
from typing import NoReturn

from sandbox_runtime.jail import evidence
from sandbox_runtime.jail.controls import identity, rlimits
from sandbox_runtime.jail.controls.mounts import WORKING_DIRECTORY
from sandbox_runtime.jail.controls.seccomp import Program
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.inside import inherited
from sandbox_runtime.jail.inside.set_up import place, place_inputs, set_up
from sandbox_runtime.jail.inside.small_init import SmallInit
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.protocol.wire import (
    FAILURES,
    REQUEST_BYTES,
    STATUS_AT,
    RunDescriptors,
    RunRequest,
    read_request,
    report_descriptors,
    report_failure,
)
from sandbox_runtime.jail.python_fork.fork import PythonFork

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
    files, variables, needs_box = marshal.loads(message)  # noqa: S302 - our own bytes, see `wire`
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
        inherited.reset_for_exec()
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
