"""Find the real root of the mount namespace when the runner itself was started inside a chroot.

pivot_root(2) requires that the present root is a mount point, and a chroot's root is not. The template, in its own
mount namespace, leaves the chroot as described in chroot(2), NOTES. Bind mounts then use the full paths of the chroot's
files, and the pivot leaves both roots.
"""

import errno
import os
from pathlib import Path

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.errors import JailError

_SUBDIRECTORY = "/proc"  # any directory that exists; we never enter it


def make_root_private() -> Path:
    """Stop the propagation of mounts out of this namespace. Returns the path of the runner's root: "/", or a chroot."""
    try:
        syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    except JailError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        return Path("/")
    host_root = _leave_chroot()
    syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    return host_root


def _leave_chroot() -> Path:
    inside = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A working directory above the root has no barrier: ".." goes up to the namespace's own root.
        os.chroot(_SUBDIRECTORY)
        os.fchdir(inside)
        while not os.path.samestat(os.stat("."), os.stat("..")):
            os.chdir("..")
        os.chroot(".")
        return _path_of(inside)
    except OSError as error:
        raise JailError("leave the chroot", errno=error.errno or 0) from error
    finally:
        os.close(inside)


def _path_of(directory_fd: int) -> Path:
    """Return the full path of an open directory, as the kernel shows it in /proc."""
    return Path(os.readlink(f"/proc/self/fd/{directory_fd}"))
