"""Read the process table of an ordinary user's template: /proc of its pid namespace, which lists only the run."""

import contextlib
import os
from dataclasses import dataclass

from sandbox_runtime.jail.errors import JailError

_TEMPLATE = "1"
_FILE_BYTES = 4096
# Of proc_pid_stat(5), counted behind the command name: state, parent, utime, stime, cutime, cstime, starttime.
_STATE, _PARENT, _TIMES, _CHILD_TIMES, _START = 0, 1, slice(11, 13), slice(13, 15), 19
_SUSPENDED = b"D"
_RESIDENT_KEYS, _SHARE_KEYS = (b"RssAnon:", b"RssShmem:"), (b"Pss_Anon:", b"Pss_Shmem:")
_USEC_PER_TICK = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process. `identity`: pid and start time: pids are reused. `children_usec`: of children that it waited for."""

    identity: tuple[str, bytes]
    parent: str
    own_usec: int
    children_usec: int

    @property
    def pid(self) -> str:
        """The pid in the template's pid namespace."""
        return self.identity[0]

    @property
    def is_init(self) -> bool:
        """Whether it is a run's first process, the only kind that the template starts."""
        return self.parent == _TEMPLATE


class ProcessTable:
    """Owns the descriptor of the /proc directory. Leaves out processes that end during a reading."""

    def __init__(self, proc_fd: int) -> None:
        self._proc_fd = proc_fd

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._proc_fd)

    def pids(self) -> list[str]:
        """List all pids except that of the template. Raises JailError."""
        try:
            return [name for name in os.listdir(self._proc_fd) if name.isdigit() and name != _TEMPLATE]
        except OSError as error:
            raise JailError("read process table", "/proc", error.errno or 0) from error

    def processes(self) -> list[Process]:
        """Read the processes that live before and after the reading. An ended one's time may be in its parent's."""
        found = []
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                found.append(self._process(pid))
        still_there = set(self.pids())
        return [process for process in found if process.pid in still_there]

    def resident_bytes(self, pid: str) -> int:
        """Return the memory that cannot be dropped: heap and shared memory."""
        return self._sum_of_lines(pid, "status", _RESIDENT_KEYS)

    def share_bytes(self, pid: str) -> int:
        """Return the same with each page divided by the processes that map it, proc_pid_smaps(5).

        This is exact but slow, because the kernel walks page tables. Returns the resident bytes if it cannot be read.
        """
        return self._sum_of_lines(pid, "smaps_rollup", _SHARE_KEYS) or self.resident_bytes(pid)

    def suspended_threads(self, pid: str) -> int:
        """Count the threads that wait uninterruptibly, as in vfork(2) for a child that uses their memory."""
        try:
            threads = os.listdir(f"/proc/self/fd/{self._proc_fd}/{pid}/task")
        except OSError:
            return 0
        count = 0
        for thread in threads:
            with contextlib.suppress(OSError):
                count += self._words(f"{pid}/task/{thread}/stat")[_STATE] == _SUSPENDED
        return count

    def _process(self, pid: str) -> Process:
        words = self._words(f"{pid}/stat")
        try:
            return Process(
                identity=(pid, words[_START]),
                parent=words[_PARENT].decode(),
                own_usec=sum(map(int, words[_TIMES])) * _USEC_PER_TICK,
                children_usec=sum(map(int, words[_CHILD_TIMES])) * _USEC_PER_TICK,
            )
        except (IndexError, ValueError) as error:
            raise JailError("read process table", f"/proc/{pid}/stat") from error

    def _words(self, path: str) -> list[bytes]:
        """Split the text after the command name. A guest chooses the name, but the last ")" is the kernel's."""
        return self._text(path).rpartition(b")")[2].split()

    def _sum_of_lines(self, pid: str, file: str, keys: tuple[bytes, ...]) -> int:
        """Add up the lines `key: n kB`, in bytes. In `status` the kernel escapes line ends of the command name."""
        try:
            text = self._text(f"{pid}/{file}")
        except OSError:  # it has ended, or may not be read
            return 0
        return sum(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith(keys))

    def _text(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc_fd)
        try:
            return os.read(fd, _FILE_BYTES)
        finally:
            os.close(fd)
