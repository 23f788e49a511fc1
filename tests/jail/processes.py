"""What /proc shows of processes: those of a user, their status, memory and descriptors."""

from pathlib import Path


def processes_of(uid: int) -> list[int]:
    """Return the ids of a user's processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == uid:
                    found.append(int(entry.name))
            except FileNotFoundError:
                continue
    return found


def status_of(process: Path) -> dict[str, list[str]]:
    """Return the lines of /proc/PID/status."""
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    return {key: value.split() for key, _, value in lines}


def memory_of(pid: int) -> bytes:
    """Read all that a process may write to."""
    parts = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            bounds, mode = line.split()[:2]
            if "w" in mode:
                begin, end = (int(bound, 16) for bound in bounds.split("-"))
                memory.seek(begin)
                parts.append(memory.read(end - begin))
    return b"".join(parts)
