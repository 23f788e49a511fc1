"""Runs the commands of languages without a jail, as a program of its own: see `tools`.

The commands name files where guests find them, below /opt. So this process has a mount namespace for itself, in which
they are there, and a /tmp of its own. That is all: no other namespace, no limit, no filter, no other user.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from sandbox_runtime.jail import syscalls
from tests.bench.floors.child import Facts, serve

_TIMEOUT_SECS = 60
_TMP = Path("/tmp")
WORK = _TMP / "box"


def answer(question: Facts) -> Facts:
    """`binds`: pairs of paths to begin with. Or `files`, `steps` (each a command), `environment`, `stdin`."""
    if "binds" in question:
        _enter(question["binds"])
        return {}
    for left in _TMP.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    WORK.mkdir()
    for name, content in question["files"].items():
        (WORK / name).write_text(content, encoding="utf-8")
    steps_ms, stdout = [], b""
    for argv in question["steps"]:
        begun_ns = time.perf_counter_ns()
        done = subprocess.run(
            argv,
            cwd=WORK,
            env=question["environment"],
            input=question["stdin"].encode(),
            capture_output=True,
            timeout=_TIMEOUT_SECS,
            check=True,
        )
        steps_ms.append((time.perf_counter_ns() - begun_ns) / 1e6)
        stdout = done.stdout
    return {"steps_ms": steps_ms, "stdout": stdout.decode()}


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
    serve(answer)
