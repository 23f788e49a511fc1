"""User namespaces: they give an ordinary user the rights that the set-up of the jail needs.

There are two levels, user_namespaces(7). The template's namespace owns the read-only root and a pid namespace, so its
/proc shows only the template and the run. Each run gets an inner one, because RLIMIT_NPROC counts per user namespace.
Even a guest with all rights in the inner one could not undo the template's mounts, which are locked there.
"""

import errno
import os
import signal
from typing import NoReturn

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.errors import JailError

_HINTS = {
    errno.EPERM: "ordinary users may not make user namespaces on this host; see `doctor`",
    errno.EACCES: "ordinary users may not use user namespaces on this host; see `doctor`",
    errno.ENOSPC: "user.max_user_namespaces is too low; see `doctor`",
    errno.EUSERS: "too many user namespaces inside one another",
}


def explain(error: JailError) -> JailError:
    """Add a hint for ordinary users to an error."""
    return JailError(error.step, error.target, error.errno, _HINTS.get(error.errno, error.hint))


def map_one_id(inside: int, outside_uid: int, outside_gid: int) -> None:
    """Let this process, the first in a new user namespace, be user and group `inside`. Raises JailError.

    Groups must be given up for good before the group map may be written.
    """
    # Files of /proc/self belong to root while a process is not dumpable. No other process is in the namespace yet.
    syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 1)
    maps = (("gid_map", f"{inside} {outside_gid} 1"), ("uid_map", f"{inside} {outside_uid} 1"))
    for name, text in (("setgroups", "deny"), *maps):
        try:
            fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)
        except OSError as error:
            raise JailError("map the user id", name, error.errno or 0) from error
    syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 0)


def enter(uid: int) -> None:
    """Go on as user `uid` in a new user, mount and pid namespace; the calling process only waits for that child.

    Raises JailError, in the caller or in the child.
    """
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    if outside_uid == 0:
        # A guest would be the host's root under another number.
        raise JailError("enter a user namespace", hint="not as root")
    pid, pidfd = syscalls.clone_process(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
    if pid:
        _wait_for(pid, pidfd)
    syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    map_one_id(uid, outside_uid, outside_gid)


def _wait_for(pid: int, pidfd: int) -> NoReturn:
    # Close all: the child owns the descriptors, and the other ends must see end of file when it exits.
    os.close(pidfd)
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    os.waitpid(pid, 0)
    os._exit(0)
