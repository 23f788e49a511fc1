"""Thin wrappers of the Linux system calls that the standard library lacks.

Each wrapper names its manual page, and raises `JailError(step, target, errno)` when the kernel refuses.
"""

import ctypes
import os
import platform
from collections.abc import Mapping

from sandbox_runtime.jail.errors import JailError

_libc = ctypes.CDLL(None, use_errno=True)
# PyDLL keeps the interpreter lock during the call: a forked child must own it when it comes back.
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)
# Variadic in C: every argument must be passed as a full register.
_libc_with_lock.syscall.restype = ctypes.c_long
_libc.syscall.restype = ctypes.c_long

_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "set_tid_address": 218},
    "aarch64": {"clone": 220, "pivot_root": 41, "set_tid_address": 96},
}
# Newer calls have the same number on both.
_COMMON_NUMBERS = {
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "openat2": 437,
    "mount_setattr": 442,
}

CLONE_PIDFD = 0x00001000
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 32, 4096, 8192, 16384, 1 << 18
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 2, 4, 24
PR_GET_TID_ADDRESS = 40
PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 8, 22, 38
SECCOMP_MODE_FILTER = 2
CAP_DAC_READ_SEARCH, CAP_KILL, CAP_LAST = 2, 5, 63

_RESOLVE_NO_XDEV, _RESOLVE_NO_MAGICLINKS, _RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x01, 0x02, 0x04, 0x08


def _number(name: str) -> int:
    machine = platform.machine()
    try:
        return _COMMON_NUMBERS.get(name) or _NUMBERS[machine][name]
    except KeyError as error:
        raise JailError("find system call", f"{name} on {machine}", hint="x86-64 and arm64 are supported") from error


def _check(result: int, step: str, target: str = "") -> int:
    if result < 0:
        raise JailError(step, target, ctypes.get_errno())
    return result


def clone_process(flags: int = 0) -> tuple[int, int]:
    """Fork into new namespaces, clone(2). Returns (pid, pidfd) in the parent and (0, -1) in the child.

    The caller must be single-threaded. The raw call is used because unshare(2) cannot give a second pid namespace to
    one process. It runs no fork hooks of the interpreter, which write to many pages: see `MainScript.get_ready`.
    """
    pidfd, thread_id = ctypes.c_int(-1), thread_id_address()
    number, signal_on_exit = _number("clone"), 17
    args = [flags | CLONE_PIDFD | signal_on_exit, 0, ctypes.addressof(pidfd), 0, 0]
    pid: int = _libc_with_lock.syscall(ctypes.c_long(number), *[ctypes.c_ulong(value) for value in args])
    if pid == 0:
        if thread_id is not None:  # as in the C library's fork(3)
            own = _libc.syscall(ctypes.c_long(_number("set_tid_address")), ctypes.c_void_p(thread_id))
            ctypes.c_int.from_address(thread_id).value = own
        return 0, -1
    if pid < 0:
        raise JailError("clone", "", ctypes.get_errno(), "namespaces need root, or user namespaces; see `doctor`")
    return pid, pidfd.value


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Attach a file system; the manual page is mount, section 2."""
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, "mount", target)


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns_fd"))


def restrict_tree(target: str, flags: int) -> None:
    """Add MS_RDONLY, MS_NOSUID, MS_NODEV or MS_NOEXEC to a mount and all below it, mount_setattr(2)."""
    attributes = _MountAttributes(flags, 0, 0, 0)  # the four have the same values as MOUNT_ATTR_*
    here, recursive = ctypes.c_long(-100), ctypes.c_long(0x8000)  # AT_FDCWD, AT_RECURSIVE
    result = _libc.syscall(
        ctypes.c_long(_number("mount_setattr")),
        here,
        target.encode(),
        recursive,
        ctypes.byref(attributes),
        ctypes.c_ulong(ctypes.sizeof(attributes)),
    )
    _check(result, "restrict mounts", target)


def make_mount(kind: str, options: Mapping[str, str], flags: int) -> int:
    """Make a mount that is nowhere attached: fsopen(2), fsconfig(2), fsmount(2). Returns its descriptor.

    `flags`: those of `restrict_tree`. An option has at most 255 characters.
    """
    long = ctypes.c_long
    close_on_exec, set_string, create = long(1), long(1), long(6)
    made = _libc.syscall(long(_number("fsopen")), kind.encode(), close_on_exec)
    context = long(_check(made, "open file system", kind))
    try:
        for name, value in options.items():
            done = _libc.syscall(long(_number("fsconfig")), context, set_string, name.encode(), value.encode(), long(0))
            _check(done, "set mount option", name)
        _check(_libc.syscall(long(_number("fsconfig")), context, create, None, None, long(0)), "make file system", kind)
        return _check(_libc.syscall(long(_number("fsmount")), context, close_on_exec, long(flags)), "mount", kind)
    finally:
        os.close(context.value)


def attach_mount(mount_fd: int, target: str) -> None:
    """Attach a mount of `make_mount` to a directory, move_mount(2)."""
    here, of_empty_path = ctypes.c_long(-100), ctypes.c_long(4)  # AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH
    number, fd = ctypes.c_long(_number("move_mount")), ctypes.c_long(mount_fd)
    _check(_libc.syscall(number, fd, b"", here, target.encode(), of_empty_path), "attach mount", target)


def unmount_lazily(target: str) -> None:
    """umount2(2) with MNT_DETACH."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), "unmount", target)


def pivot_root(new_root: str, put_old: str) -> None:
    """Swap the root of the mount namespace; the manual page is pivot_root, section 2."""
    result = _libc.syscall(ctypes.c_long(_number("pivot_root")), new_root.encode(), put_old.encode())
    _check(result, "pivot_root", new_root)


def prctl(step: str, option: int, argument: int = 0, pointer: int = 0) -> None:
    """Change an attribute of this process; the manual page is prctl, section 2."""
    unsigned = ctypes.c_ulong
    _check(_libc.prctl(ctypes.c_int(option), unsigned(argument), unsigned(pointer), unsigned(0), unsigned(0)), step)


def thread_id_address() -> int | None:
    """Return where the C library keeps the id of this thread, or None where the kernel does not tell.

    pthread_kill(3) and the clocks of a thread use it. A child of clone(2) has its parent's until it writes its own.
    """
    address = ctypes.c_void_p()
    refused = _libc.prctl(ctypes.c_int(PR_GET_TID_ADDRESS), ctypes.byref(address), 0, 0, 0)
    return None if refused else address.value


def parent_death_signal() -> int:
    """Return the signal that this thread's process gets when its parent ends; 0: none."""
    number = ctypes.c_int()
    _check(_libc.prctl(ctypes.c_int(PR_GET_PDEATHSIG), ctypes.byref(number), 0, 0, 0), "get parent death signal")
    return number.value


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


_CapDataPair = _CapData * 2


def keep_capabilities(kept: tuple[int, ...]) -> None:
    """Reduce this process to those of `kept` (all below 32) that it has, capset(2) version 3."""
    header = _CapHeader(0x20080522, 0)
    had = _CapDataPair()
    _check(_libc.capget(ctypes.byref(header), ctypes.byref(had)), "capget")
    mask = sum(1 << capability for capability in kept) & had[0].permitted
    data = _CapDataPair(_CapData(mask, mask, 0), _CapData(0, 0, 0))
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def drop_bounding_set() -> None:
    """Empty the capability bounding set, capabilities(7): no later exec can gain any."""
    for capability in range(CAP_LAST + 1):
        if _libc.prctl(ctypes.c_int(PR_CAPBSET_DROP), ctypes.c_ulong(capability), 0, 0, 0) < 0:
            return  # EINVAL: past the last capability that this kernel knows


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(directory_fd: int, path: str, flags: int) -> int:
    """Open a path below a directory, openat2(2). Follows no link, and leaves neither the directory nor its mount.

    Raises OSError.
    """
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_XDEV
    how = _OpenHow(flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0, resolve)
    size = ctypes.sizeof(how)
    number = ctypes.c_long(_number("openat2"))
    result: int = _libc.syscall(
        number, ctypes.c_long(directory_fd), os.fsencode(path), ctypes.byref(how), ctypes.c_ulong(size)
    )
    if result < 0:
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
    return result
