"""Runs the commands of languages without a jail, as a program of its own: see `tools`.

The commands name files where guests find them, below /opt. So this process has a mount namespace for itself, in which
they are there, and a /tmp of its own. That is all: no other namespace, no limit, no filter, no other user.
"""

import os
import select
import shutil
import signal
import time
from pathlib import Path

from bench.floors.child import Facts, serve
from sandbox_runtime.jail import syscalls

_TIMEOUT_SECS = 60
_TMP = Path("/tmp")
WORK = _TMP / "box"
_STDIN, _STDOUT, _STDERR = (_TMP / f"floor.{name}" for name in ("stdin", "stdout", "stderr"))


class _Answers:
    """First `binds`, pairs of paths. Then `files`, `steps` (each a command), `environment` and `stdin`."""

    def __init__(self) -> None:
        self._is_inside = False

    def __call__(self, question: Facts) -> Facts:
        if not self._is_inside:
            _enter(question["binds"])
            self._is_inside = True  # from here on /tmp is ours to empty, and never before
            return {}
        for left in _TMP.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        WORK.mkdir()
        for name, content in question["files"].items():
            (WORK / name).write_text(content, encoding="utf-8")
        os.chdir(WORK)
        _STDIN.write_text(question["stdin"], encoding="utf-8")
        steps_ms = [_timed(argv, question["environment"]) for argv in question["steps"]]
        return {"steps_ms": steps_ms, "stdout": _STDOUT.read_text(encoding="utf-8")}


def _timed(argv: list[str], environment: dict[str, str]) -> float:
    """Milliseconds from its start to its end, by as little as can start and end one. Raises ChildProcessError."""
    truncate = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [(0, _STDIN, os.O_RDONLY), (1, _STDOUT, truncate), (2, _STDERR, truncate)]
    actions = [(os.POSIX_SPAWN_OPEN, fd, str(path), flags, 0o600) for fd, path, flags in files]
    begun_ns = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions)
    pidfd = os.pidfd_open(pid)
    is_ended = bool(select.select([pidfd], [], [], _TIMEOUT_SECS)[0])
    elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
    os.close(pidfd)
    if not is_ended:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if status:
        raise ChildProcessError(f"{argv[0]}: status {status}: {_STDERR.read_text(encoding='utf-8')[:200]}")
    return elapsed_ms


def _enter(binds: list[tuple[str, str]]) -> None:
    """Leave the host's mounts; nothing that is mounted here is seen by others, and it is gone with this process."""
    uid, gid = os.geteuid(), os.getegid()
    os.unshare(os.CLONE_NEWNS | (os.CLONE_NEWUSER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="ascii")
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    # Opened before anything is covered: toolchains may lie below /opt or /tmp themselves.
    sources = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _ in binds]
    for place in ("/opt", str(_TMP)):
        syscalls.mount("tmpfs", place, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755")
    for fd, (_, target) in zip(sources, binds, strict=True):
        path = Path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        if Path(f"/proc/self/fd/{fd}").is_dir():
            path.mkdir()
        else:
            path.touch()
        syscalls.mount(f"/proc/self/fd/{fd}", target, None, syscalls.MS_BIND)
        os.close(fd)


if __name__ == "__main__":
    serve(_Answers())
