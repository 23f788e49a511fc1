"""The guest's file system: a read-only root for each slot, and private mounts for each run.

Order matters. The template builds the root before any guest exists, pivots into it and unmounts the host's root.
So no later step can name a host path. Each run adds /proc, /tmp, /dev/shm and /box in its own mount namespace.
They vanish with the namespace, so the host never deletes a path that a guest made.
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.own_inodes import HostFiles, make_root_private
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT

# Files below /etc by which programs look up names and check certificates. The same in each run, as the root is.
#
# A run without network has them too: then a look-up fails at once, as each connect(2) does.

NAME_SERVER = "127.0.0.53"
"""In the net namespace of a run with network, a socket of the egress proxy."""

_FILES = {
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "resolv.conf": f"nameserver {NAME_SERVER}\n",
}
# OpenSSL, Go and the C libraries read the first, which OpenSSL's own path is a link to; the JDK reads the second.
_CERTIFICATES = ("ssl/certs/ca-certificates.crt", "ssl/certs/java/cacerts")


def write_network_files(etc: Path, host_etc: Path) -> None:
    """Write them into the guest's `etc`, with a copy of the host's certificates. Raises OSError."""
    for name, text in _FILES.items():
        (etc / name).write_text(text)
    for name in _CERTIFICATES:
        if (host_etc / name).is_file():
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            (etc / name).write_bytes((host_etc / name).read_bytes())


WORKING_DIRECTORY = "/box"
_OTHER_NAME = "mnt/data"
"""Leads to the working directory: language models write there, as code interpreters of other services call theirs."""
# The new root is mounted here, in the template's mount namespace. /sys exists on every Linux host, and no bind mount
# has its source there.
_STAGING = "/sys"
_SYSTEM_TREES = ("usr", "bin", "lib", "lib32", "lib64", "libx32")
# The visible entries of these directories. This hides administration programs, documentation, package lists, /usr/local
# and /usr/src. A language that needs more names it, see `BindMount`.
_SHOWN_PARTS = MappingProxyType(
    {
        "usr": ("bin", "include", "lib", "lib32", "lib64", "libexec", "libx32", "share"),
        "usr/share": ("zoneinfo",),
    }
)
DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
# Programs need the linker's cache and Debian's command alternatives. Nothing else of the host's /etc is shown.
_LINKERS_CACHE = "ld.so.cache"
_ALTERNATIVES = "alternatives"
# Libraries read the mounts here. The guest can read the same text in /proc.
_ETC_LINKS = {"mtab": "/proc/self/mounts"}
_INODES_PER_MOUNT = 16_384
_PROC_OPTIONS = ("subset=pid", "hidepid=invisible")


@dataclass(frozen=True, slots=True)
class PrivateMount:
    """One private mount of a run. `required_options`: as proc_pid_mountinfo(5) shows them."""

    kind: str
    required_options: frozenset[str]


_STRICT, _NO_PROGRAMS = frozenset({"nosuid", "nodev"}), frozenset({"nosuid", "nodev", "noexec"})
PRIVATE_MOUNTS = MappingProxyType(
    {
        "/proc": PrivateMount("proc", _NO_PROGRAMS | {"ro", *_PROC_OPTIONS}),
        "/tmp": PrivateMount("tmpfs", _NO_PROGRAMS),  # noqa: S108 - the mount point itself
        "/dev/shm": PrivateMount("tmpfs", _NO_PROGRAMS),  # noqa: S108 - the mount point itself
        WORKING_DIRECTORY: PrivateMount("tmpfs", _STRICT),
    }
)


@dataclass(frozen=True, slots=True)
class BindMount:
    """A host path shown read-only inside the jail. Both absolute; the target must not exist in the system trees."""

    source: str
    target: str


def _lay_out_devices(root: Path, files: HostFiles) -> None:
    devices = root / "dev"
    (devices / "shm").mkdir(parents=True)
    # Guests can write to a device on a read-only mount, but they cannot change its times and its mode.
    flags = MS_NOEXEC | MS_RDONLY
    targets = {name: devices / name for name in DEVICES}
    files.show_files(Path("/dev"), targets, flags)
    for name, target in _DEVICE_LINKS.items():
        (devices / name).symlink_to(target)


def _hidden_parts(tree: Path, name: str) -> list[str]:
    """Paths in a system tree that guests do not see."""
    return [
        os.path.relpath(f"{directory}/{entry}", name)
        for directory, shown in _SHOWN_PARTS.items()
        if (directory == name or directory.startswith(f"{name}/")) and (tree.parent / directory).is_dir()
        for entry in os.listdir(tree.parent / directory)
        if entry not in shown
    ]


def _lay_out_system(root: Path, host_root: Path, files: HostFiles) -> None:
    for name in _SYSTEM_TREES:
        source = host_root / name
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            files.show_tree(source, root / name, _hidden_parts(source, name))
    etc = root / "etc"
    etc.mkdir()
    if (host_root / "etc" / _LINKERS_CACHE).is_file():
        (etc / _LINKERS_CACHE).write_bytes((host_root / "etc" / _LINKERS_CACHE).read_bytes())
    if (host_root / "etc" / _ALTERNATIVES).is_dir():
        _copy_links(host_root / "etc" / _ALTERNATIVES, etc / _ALTERNATIVES, root)
    write_network_files(etc, host_root / "etc")
    for name, target in _ETC_LINKS.items():
        (etc / name).symlink_to(target)


def _copy_links(source: Path, target: Path, root: Path) -> None:
    """Copy the symbolic links whose targets are visible in `root`."""
    target.mkdir()
    for entry in os.scandir(source):
        if entry.is_symlink():
            leads_to = os.readlink(entry.path)
            if os.path.lexists(root / leads_to.lstrip("/")):
                (target / entry.name).symlink_to(leads_to)


def enter_guest_root(binds: tuple[BindMount, ...], executable: bytes = b"") -> int | None:
    """Build the root and move this process into it. Needs a mount namespace of its own. Raises JailError.

    Returns a descriptor of `executable`, which has no name there; None when it is empty.
    """
    host_root = make_root_private()
    root = Path(_STAGING)
    syscalls.mount("rustbox-root", _STAGING, "tmpfs", MS_NOSUID, "mode=0755,size=4m,nr_inodes=4096")
    try:
        for directory in ("proc", "tmp", "box", "old", "layers"):
            (root / directory).mkdir()
        (root / _OTHER_NAME).parent.mkdir()
        (root / _OTHER_NAME).symlink_to(WORKING_DIRECTORY)
        files = HostFiles(root / "layers")
        _lay_out_system(root, host_root, files)
        _lay_out_devices(root, files)
        for bind in binds:
            source, target = host_root / bind.source.lstrip("/"), root / bind.target.lstrip("/")
            if source.is_dir():
                files.show_tree(source, target)
            else:
                files.show_files(source.parent, {source.name: target}, MS_RDONLY | MS_NODEV)
        files.close()
        (root / "layers").rmdir()
    except OSError as error:
        raise JailError("build guest root", str(error.filename), error.errno or 0) from error
    _swap_root()
    executable_fd = _nameless(executable) if executable else None
    syscalls.mount("", "/", None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_BIND)
    return executable_fd


def _nameless(content: bytes) -> int:
    """Make an unnamed executable file in the root. Nobody can write to it once the root is read-only."""
    path = "/init"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o555)
        try:
            os.fchmod(fd, 0o555)  # whatever the umask is
            if os.write(fd, content) != len(content):
                raise JailError("build guest root", path, errno.ENOSPC)
        finally:
            os.close(fd)
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.unlink(path)
    except OSError as error:
        raise JailError("build guest root", path, error.errno or 0) from error


def _swap_root() -> None:
    """Make the new root "/". No path leads back to the host's files.

    Docker's default filter refuses pivot_root. Then we move the new root over the old one, which stays mounted below.
    A process needs CAP_SYS_CHROOT or an older descriptor to get there, and a guest has neither.
    """
    try:
        syscalls.pivot_root(_STAGING, f"{_STAGING}/old")
    except JailError as error:
        if error.errno != errno.EPERM:
            raise
        os.rmdir(f"{_STAGING}/old")
        os.chdir(_STAGING)
        syscalls.mount(_STAGING, "/", None, syscalls.MS_MOVE)
        try:
            os.chroot(".")
        except OSError as chroot_error:
            hint = "needs CAP_SYS_CHROOT where pivot_root is refused"
            raise JailError("chroot", "", chroot_error.errno or 0, hint) from chroot_error
        os.chdir("/")
    else:
        os.chdir("/")
        syscalls.unmount_lazily("/old")
        os.rmdir("/old")


def mount_private(memory_bytes: int, placed_bytes: int) -> None:
    """Mount the private file systems of one run, in its own mount namespace. Their pages count as the guest's memory.

    `placed_bytes`: size of the files that we write into the working directory, on top of the guest's limit.
    Root owns the working directory until its files are written, and then the guest.
    """
    strict = MS_NOSUID | MS_NODEV
    # Read-only: some settings of a process there belong to a table, a time limit or a log of the whole host.
    syscalls.mount("proc", "/proc", "proc", strict | MS_NOEXEC | MS_RDONLY, ",".join(_PROC_OPTIONS))
    size, inodes = f"size={memory_bytes}", f"nr_inodes={_INODES_PER_MOUNT}"
    syscalls.mount(
        "tmp",
        "/tmp",  # noqa: S108 - the mount point itself
        "tmpfs",
        strict | MS_NOEXEC,
        f"mode=1777,{size},{inodes}",
    )
    syscalls.mount(
        "shm",
        "/dev/shm",  # noqa: S108 - the mount point itself
        "tmpfs",
        strict | MS_NOEXEC,
        f"mode=1777,{size},{inodes}",
    )
    box_size = f"size={memory_bytes + placed_bytes}"
    syscalls.mount("box", WORKING_DIRECTORY, "tmpfs", strict, f"mode=0755,{box_size},{inodes}")
