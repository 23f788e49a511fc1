"""Show directories of the host through overlays, so that each slot has its own inodes.

A guest's locks, leases and watches apply to the overlay's inode (kernel documentation: overlayfs), so the host and
other slots never see them. All slots share the cached pages of the host's file.

If the kernel refuses an overlay, we use a bind mount, and the evidence lists `own_inodes` as missing.
Known causes: no CONFIG_OVERLAY_FS; a root that is an overlay on an overlay.
"""

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.syscalls import MS_BIND, MS_NODEV, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT

# The runner itself may have been started inside a chroot. Then we find the real root of the mount namespace.
# pivot_root(2) requires that the present root is a mount point, and a chroot's root is not. The template, in its own
# mount namespace, leaves the chroot as described in chroot(2), NOTES. Bind mounts then use the full paths of the
# chroot's files, and the pivot leaves both roots.

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


SOURCE = "rustbox-files"
"""The source of our overlays in proc_pid_mountinfo(5). It tells them from a container's root, an overlay too."""

_LAYERS_POINT = Path("/sys")  # on every host; used for a moment, in a mount namespace of one process
_LAYERS_OPTIONS = "mode=0755,size=1m,nr_inodes=4096"


def bind(source: Path, target: Path, flags: int) -> None:
    """Bind-mount `source` on `target`, which must exist, with these flags and MS_NOSUID. Raises JailError."""
    try:
        syscalls.mount(str(source), str(target), None, MS_BIND)
        # A bind mount takes its flags only in a second call, mount(2).
        syscalls.mount("", str(target), None, MS_BIND | MS_REMOUNT | MS_NOSUID | flags)
    except JailError as error:
        # In a user namespace we must include the mounts below the source, and keep all their restrictions,
        # user_namespaces(7).
        if error.errno == errno.EINVAL:
            syscalls.mount(str(source), str(target), None, MS_BIND | MS_REC)
        elif error.errno != errno.EPERM:
            raise
        syscalls.restrict_tree(str(target), MS_NOSUID | flags)


def _overlay(directory: Path, upper_layer: Path, target: Path, flags: int) -> None:
    """Mount a read-only overlay of two lower layers. Its line in mountinfo does not show the host's path."""
    source_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        layers = f"lowerdir={upper_layer}:/proc/self/fd/{source_fd}"
        syscalls.mount(SOURCE, str(target), "overlay", MS_RDONLY | MS_NOSUID | flags, layers)
    finally:
        os.close(source_fd)


class HostFiles:
    """Mounts host files below a guest's root. `directory`: an empty one, used until `close`. Raises JailError."""

    def __init__(self, directory: Path) -> None:
        self._layers = directory
        os.umask(0o022)  # guests must be able to read the files made here, whatever the runner's umask is
        syscalls.mount("layers", str(directory), "tmpfs", MS_NOSUID, _LAYERS_OPTIONS)
        self._empty = directory / "empty"
        self._empty.mkdir()

    def show_tree(self, source: Path, target: Path, hidden: Iterable[str] = ()) -> None:
        """Show a directory without the paths `hidden` in it. Makes `target`."""
        target.mkdir(parents=True, exist_ok=True)
        try:
            _overlay(source, self._layer_that_hides(source.name, hidden), target, MS_NODEV)
        except JailError:
            bind(source, target, MS_RDONLY | MS_NODEV)

    def show_files(self, directory: Path, targets: dict[str, Path], flags: int) -> None:
        """Show single files of a directory. `targets`: by their names; they are made."""
        shown = self._layers / "shown"
        shown.mkdir()
        try:
            _overlay(directory, self._empty, shown, flags)
        except JailError:
            self.bind_files(directory, targets, flags)
        else:
            self.bind_files(shown, targets, flags)
            syscalls.unmount_lazily(str(shown))
        shown.rmdir()

    @staticmethod
    def bind_files(directory: Path, targets: dict[str, Path], flags: int) -> None:
        """As `show_files`, but with the host's own inodes."""
        for name, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
            bind(directory / name, target, MS_RDONLY | flags)

    def _layer_that_hides(self, name: str, hidden: Iterable[str]) -> Path:
        layer = self._empty
        for path in hidden:
            layer = self._layers / f"over-{name}"
            place = layer / path
            place.parent.mkdir(parents=True, exist_ok=True)
            # A whiteout. Since Linux 5.8 any user may make one.
            os.mknod(place, 0o020000, 0)
        return layer

    def close(self) -> None:
        """Release `directory`. The mounts stay."""
        syscalls.unmount_lazily(str(self._layers))


def execute_from_overlay(argv: list[str]) -> NoReturn:
    """Execute this command from an overlay, in a new mount namespace.

    A guest that is forked from it can open the executable through /proc/self/exe. If the kernel refuses the overlay,
    we execute the command without one, and the evidence says so.
    """
    try:
        with ExitStack() as opened:
            working_directory = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, working_directory)
            os.unshare(os.CLONE_NEWNS)
            root = make_root_private()
            directory = root / os.path.dirname(os.path.realpath(argv[0])).lstrip("/")
            files = HostFiles(_LAYERS_POINT)
            files.show_tree(directory, directory)
            files.close()
            if root != Path("/"):
                os.chroot(root)
            os.fchdir(working_directory)
    except (JailError, OSError) as error:
        sys.stderr.write(f"no overlay for the interpreter: {error}\n")
    os.execv(argv[0], argv)  # noqa: S606 - a command of our own


# A run sees the files of a request through an overlay of its own, made outside and attached inside. As with the host's
# directories, no guest shares an inode with the host or with another run.

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
