"""Guests that keep rights which a guest must not have. Every change says why the host stays safe."""

import ctypes
import os
import resource
from collections.abc import Callable
from typing import Any

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls import identity, rlimits
from sandbox_runtime.jail.controls.seccomp import Program
from sandbox_runtime.jail.inside import program
from sandbox_runtime.jail.spec import Limits
from tests.jail.weakened.patching import Settings, after, wrap

_MIB = 1 << 20
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
# CHOWN, NET_BIND_SERVICE, NET_RAW, SYS_NICE, MKNOD: they reach no further than the run's own mounts and network.
HARMLESS_CAPABILITIES = (0, 10, 13, 23, 27)
# Far above the real ones, and bounded.
RAISED_RLIMITS = {
    resource.RLIMIT_FSIZE: 64 * _MIB,
    resource.RLIMIT_CORE: 64 * _MIB,
    resource.RLIMIT_NOFILE: 512,
    resource.RLIMIT_NPROC: 2048,
    resource.RLIMIT_MSGQUEUE: _MIB // 2,
    resource.RLIMIT_MEMLOCK: 4 * _MIB,
    resource.RLIMIT_SIGPENDING: 8192,
}


def no_unprivileged_user(settings: Settings) -> None:
    """User and group 0, still without any capability, without the host's files, in the other namespaces."""
    settings["uid"] = 0
    after(identity, "become_guest", lambda: syscalls.keep_capabilities(()))


def _set_capabilities(kept: tuple[int, ...]) -> None:
    mask = sum(1 << capability for capability in kept)
    header = syscalls._CapHeader(0x20080522, 0)
    data = (syscalls._CapData * 2)(syscalls._CapData(mask, mask, mask), syscalls._CapData(0, 0, 0))
    syscalls._check(syscalls._libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")
    for capability in kept:
        syscalls.prctl("raise ambient capability", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def no_no_capabilities(_: Settings) -> None:
    """Five harmless capabilities."""
    wrap(syscalls, "drop_bounding_set", lambda _: lambda: None)

    def make(original: Callable[[int], None]) -> Callable[[int], None]:
        def become_guest(uid: int) -> None:
            syscalls.prctl("keep capabilities", _PR_SET_KEEPCAPS, 1)
            original(uid)
            _set_capabilities(HARMLESS_CAPABILITIES)

        return become_guest

    wrap(identity, "become_guest", make)


def no_no_new_privileges(_: Settings) -> None:
    """The attribute is not set. Every mount is nosuid and the bounding set is empty, so no privilege is in reach.

    Without it only a privileged process may load a filter: the filter goes first, then the user id.
    """
    waiting: list[Program] = []
    load = Program.load

    def become_guest(uid: int) -> None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        load(waiting[0])
        os.setresuid(uid, uid, uid)

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def become_program(*arguments: Any, **options: Any) -> None:
            waiting.extend(part for part in (*arguments, *options.values()) if isinstance(part, Program))
            original(*arguments, **options)

        return become_program

    wrap(identity, "become_guest", lambda _: become_guest)
    wrap(Program, "load", lambda _: lambda _: None)
    wrap(program, "become_program", make)


def no_seccomp(_: Settings) -> None:
    """No filter: the kernel itself still refuses an unprivileged user what is privileged."""
    wrap(Program, "load", lambda _: lambda _: None)


def no_rlimits(_: Settings) -> None:
    """Bounded values far above the real ones; the groups still limit memory, processes and CPU time."""

    def apply(_: Limits, **__: bool) -> None:
        for kind, value in RAISED_RLIMITS.items():
            resource.setrlimit(kind, (value, value))

    wrap(rlimits, "apply", lambda _: apply)
