"""Mounts and descriptors that let more through. None of them shows a file of the host that could be written."""

import os
from pathlib import Path

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls import mounts, own_inodes
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.inside import program
from tests.jail.weakened.patching import MountCall, Settings, after, edit_mounts, wrap

_SHARED_SOURCES = frozenset({"tmp", "shm"})


def no_read_only_root(_: Settings) -> None:
    """The slot's own root can be written. The host's trees in it are mounts of their own and stay read-only."""

    def edit(call: MountCall) -> MountCall | None:
        _, target, _, flags, _ = call
        if target != "/" or not flags & syscalls.MS_REMOUNT or not flags & syscalls.MS_RDONLY:
            return call
        for directory in ("/", "/etc", "/dev"):
            Path(directory).chmod(0o1777)
        return None

    edit_mounts(edit)


def no_private_mounts(_: Settings) -> None:
    """One /tmp and one /dev/shm for all runs of the slot."""

    def mount_shared() -> None:
        for target in ("/tmp", "/dev/shm"):
            syscalls.mount("shared", target, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777,size=8m")

    after(mounts, "enter_guest_root", mount_shared)
    edit_mounts(lambda call: None if call[0] in _SHARED_SOURCES else call)


def no_own_inodes(_: Settings) -> None:
    """The host's own files, as where the kernel refuses overlays."""

    def refuse(*_: object) -> None:
        raise JailError("mount", "overlay")

    wrap(own_inodes, "_overlay", lambda _: refuse)


def no_proc_subset(_: Settings) -> None:
    """All of /proc, of the run's own pid namespace, as an unprivileged user without capabilities sees it."""
    edit_mounts(lambda call: (*call[:4], "") if call[2] == "proc" else call)


def no_read_only_proc(_: Settings) -> None:
    """A guest may write to the files of its own processes in /proc."""
    edit_mounts(lambda call: (*call[:3], call[3] & ~syscalls.MS_RDONLY, call[4]) if call[2] == "proc" else call)


def no_noexec_mounts(_: Settings) -> None:
    """Programs may be started from /tmp and /dev/shm."""

    def edit(call: MountCall) -> MountCall:
        source, target, kind, flags, data = call
        return source, target, kind, flags & ~syscalls.MS_NOEXEC if source in _SHARED_SOURCES else flags, data

    edit_mounts(edit)


def no_inode_limit(_: Settings) -> None:
    """Many more inodes for each mount; the memory limit still bounds them."""
    wrap(mounts, "_INODES_PER_MOUNT", lambda _: 1_000_000)


def no_closed_descriptors(_: Settings) -> None:
    """The guest is born with a descriptor of its own read-only root."""
    after(program, "_take_descriptors", lambda: os.dup2(os.open("/", os.O_RDONLY), 9))


def no_sealed_input(_: Settings) -> None:
    """Input that the guest can change: a copy in a file of memory without seals."""

    def replace_input() -> None:
        writable = os.memfd_create("stdin")
        os.write(writable, os.read(0, 4096))
        os.lseek(writable, 0, os.SEEK_SET)
        os.dup2(os.open(f"/proc/self/fd/{writable}", os.O_RDONLY), 0)

    after(program, "_take_descriptors", replace_input)
