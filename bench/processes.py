"""CPU time and memory of processes, read from /proc; a process that just ended counts as nothing."""

import os
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup.detect import _bases

_TICKS = os.sysconf("SC_CLK_TCK")
# proc_pid_stat(5), counted behind the command name: parent; then user, system, and both of children waited for.
_PARENT_FIELD, _TIME_FIELDS = 1, slice(11, 15)


def descendants(pid: int) -> list[int]:
    """The process itself and everything below it."""
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        if stat := _stat(int(process.name)):
            children.setdefault(int(stat[_PARENT_FIELD]), []).append(int(process.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def cpu_secs(pids: list[int]) -> float:
    """CPU time of these, and of their children that ended."""
    return sum(sum(map(int, stat[_TIME_FIELDS])) for pid in pids if (stat := _stat(pid))) / _TICKS


def is_child(pid: int, parent: int) -> bool:
    """Tell whether `parent` started it."""
    return _stat(pid)[1:2] == [str(parent)]


def pss_bytes(pid: int) -> int:
    """Its memory, shared pages divided among those that share them."""
    return _kib(f"/proc/{pid}/smaps_rollup", "Pss:")


def rss_bytes(pid: int) -> int:
    """Its resident memory, shared pages in full."""
    return _kib(f"/proc/{pid}/status", "VmRSS:")


def descriptors(pid: int) -> int:
    """Open file descriptors."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


def threads(pid: int) -> int:
    """Threads."""
    return int(_value(f"/proc/{pid}/status", "Threads:") or 0)


def mounts(pid: int) -> int:
    """Mounts that it sees."""
    return len(_text(f"/proc/{pid}/mountinfo").splitlines())


def groups(pid: int) -> int:
    """Control groups that a runner made for its slots."""
    return sum(1 for base in _bases() for path in base.glob(f"rustbox-*-{pid}-*/**/") if path.is_dir())


def _stat(pid: int) -> list[str]:
    return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _kib(path: str, name: str) -> int:
    return int(_value(path, name).partition(" ")[0] or 0) << 10


def _value(path: str, name: str) -> str:
    for line in _text(path).splitlines():
        if line.startswith(name):
            return line.removeprefix(name).strip()
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
