"""Show the files of a request to its run through an overlay of its own, made outside and attached inside.

As with the host's directories, no guest shares an inode with the host or with another run: see `own_inodes`.
"""

import os
from contextlib import ExitStack

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.own_inodes import SOURCE
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.syscalls import MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY

_FILES, _EMPTY = "files", "empty"
# Attached here for a moment, on top of the run's own mount.
_POINT = "/tmp"  # noqa: S108 - the mount point itself


def make_inputs_folder(folder: str) -> str:
    """Make a folder for `JailSpec.inputs_folder`. Returns the path of the folder for its files. Raises OSError."""
    os.mkdir(folder, 0o700)
    for name in (_FILES, _EMPTY):
        os.mkdir(f"{folder}/{name}", 0o755)
        os.chmod(f"{folder}/{name}", 0o755)  # noqa: S103 - guests see it, whatever the umask is
    return f"{folder}/{_FILES}"


def open_inputs(folder: str) -> int:
    """Return a descriptor of an overlay of the folder's files. Raises JailError."""
    with ExitStack() as opened:
        try:
            flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
            layers = [os.open(f"{folder}/{name}", flags) for name in (_EMPTY, _FILES)]
        except OSError as error:
            raise JailError("open the files", folder, error.errno or 0) from error
        for fd in layers:
            opened.callback(os.close, fd)
        # An overlay without an upper layer needs two lower ones. Its line in mountinfo does not show the host's path.
        lower = ":".join(f"/proc/self/fd/{fd}" for fd in layers)
        try:
            flags = MS_RDONLY | MS_NOSUID | MS_NODEV
            return syscalls.make_mount("overlay", {"source": SOURCE, "lowerdir": lower}, flags)
        except JailError as error:
            hint = "FILES_DIR must be on a file system that an overlay accepts, such as ext4, xfs or tmpfs"
            raise JailError(error.step, folder, error.errno, hint) from error


def confirm_inputs(folder: str) -> None:
    """Check that the jail can show the files of a folder. Raises JailError."""
    os.close(open_inputs(folder))


def show_files(folder_fd: int, targets: dict[str, str]) -> None:
    """Mount single files of an overlay of `open_inputs`. `targets`: SHA-256 by path. The paths exist.

    Call it as root, in the run's own mount namespace, before guest code exists. Raises JailError.
    """
    syscalls.attach_mount(folder_fd, _POINT)
    for path, sha256 in targets.items():
        syscalls.mount(f"{_POINT}/{sha256}", path, None, MS_BIND)  # it keeps the flags of the overlay
    syscalls.unmount_lazily(_POINT)
