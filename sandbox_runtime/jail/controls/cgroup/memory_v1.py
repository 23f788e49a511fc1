"""The memory group of a slot's present run, cgroup v1: `<slot>/program` of the memory controller."""

import contextlib
import os
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup.interface import flat_keyed
from sandbox_runtime.jail.controls.cgroup.removal import remove_groups
from sandbox_runtime.jail.controls.cgroup.swap import refuse_unbounded_swap

# Version 1 charges the buffers of sockets to nobody without this limit. A program alone could fill the host's memory.
_SOCKET_LIMIT = "memory.kmem.tcp.limit_in_bytes"
_SWAP_LIMIT = "memory.memsw.limit_in_bytes"  # there only with swap accounting
# The peak of memory plus swap, where the kernel counts it: it meets its limit before that of memory alone.
_PEAKS = ("memory.memsw.max_usage_in_bytes", "memory.max_usage_in_bytes")
# The kernel kills for want of at most eight pages, here of 64 KiB: a run that it killed at its limit had used all else.
# `memory.failcnt` would be exact, but newer kernels do not count the hits of the limit of memory plus swap.
_MOST_WANTED_BYTES = 8 << 16


class MemoryGroupV1:
    """Makes the group and owns its open files. All methods raise OSError; some also raise JailError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fds: list[int] = []
        try:
            self._make()
        except BaseException:
            self.close_files()
            raise

    def _make(self) -> None:
        group = self._directory
        group.mkdir(exist_ok=True)
        self._limit_bytes = 0
        self._limit = self._open("memory.limit_in_bytes", os.O_RDWR)
        self._swap_limit = self._open(_SWAP_LIMIT, os.O_RDWR) if (group / _SWAP_LIMIT).exists() else None
        with contextlib.suppress(OSError):  # the kernel may still swap when the whole host is short of memory
            (group / "memory.swappiness").write_text("0")
        self.check_swap()
        self._peak = self._open(next(name for name in _PEAKS if (group / name).exists()), os.O_RDWR)
        self._usage = self._open("memory.usage_in_bytes", os.O_RDONLY)
        self._oom = self._open("memory.oom_control", os.O_RDONLY)
        self._stat = self._open("memory.stat", os.O_RDONLY)
        self.entry_fd = self._open("tasks", os.O_WRONLY)
        self.eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._fds.append(self.eventfd)
        (group / "cgroup.event_control").write_text(f"{self.eventfd} {self._oom}")

    def _open(self, name: str, flags: int) -> int:
        fd = os.open(self._directory / name, flags | os.O_CLOEXEC)
        self._fds.append(fd)
        return fd

    def check_swap(self) -> None:
        """Raise JailError if a guest could use swap beyond its memory limit."""
        if self._swap_limit is None:
            refuse_unbounded_swap(self._directory.parent.name)

    def set_limit(self, wanted: int) -> None:
        """Set both limits, in an order in which the memory limit never exceeds the limit of memory plus swap."""
        self._limit_bytes = wanted
        order = [self._swap_limit, self._limit]
        if wanted < int(os.pread(self._limit, 32, 0)):
            order.reverse()
        for fd in order:
            if fd is not None:
                os.pwrite(fd, str(wanted).encode(), 0)

    def bound_sockets(self, most_bytes: int) -> None:
        """Let the buffers of TCP and UDP take so much. Beyond, TCP waits and UDP drops."""
        (self._directory / _SOCKET_LIMIT).write_text(str(most_bytes))

    def reset_peak(self) -> None:
        """Reset the peak to the present usage."""
        os.pwrite(self._peak, b"0", 0)

    def acknowledge_oom_event(self) -> None:
        """Reset the eventfd, which is registered with the group's oom_control."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.eventfd)

    @property
    def usage_bytes(self) -> int:
        """The present usage."""
        return int(os.pread(self._usage, 32, 0))

    @property
    def peak_bytes(self) -> int:
        """The largest usage since the reset."""
        return int(os.pread(self._peak, 32, 0))

    @property
    def oom_kills(self) -> int:
        """Out-of-memory kills since the group was made."""
        return flat_keyed(os.pread(self._oom, 256, 0))["oom_kill"]

    def is_at_limit(self, peak_bytes: int) -> bool:
        """Whether a run with this peak may have been killed at its own limit."""
        return peak_bytes + _MOST_WANTED_BYTES > self._limit_bytes

    def stat(self) -> dict[str, int]:
        """Read `memory.stat`."""
        return flat_keyed(os.pread(self._stat, 8192, 0))

    def close_files(self) -> None:
        """Close the files and keep the group."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()

    def close(self) -> None:
        """Close the files and remove the group. Raises JailError when a process is in it."""
        self.close_files()
        remove_groups([self._directory])
