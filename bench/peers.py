"""Other ways to run a Python program, each used only if it gives a right answer on this host."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import docker_peer
from bench.answers import WrongAnswerError, check_text
from bench.report import Peer
from bench.rounds import BWRAP, PYTHON, Way
from bench.sources import python_print
from sandbox_runtime.languages.python import INTERPRETER

_TIMEOUT_SECS = 60

_BWRAP = (
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"),
    *("--uid", "65534", "--gid", "65534", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--", INTERPRETER, "-c"),
)
_NSJAIL = (
    *("nsjail", "-Mo", "--really_quiet", "--user", "65534", "--group", "65534", "-R", "/usr", "-R", "/lib"),
    *("-R", "/lib64", "-T", "/tmp", "--", INTERPRETER, "-c"),
)
# A fresh box for each program, as for everybody else.
_ISOLATE = (
    *(
        "sh",
        "-c",
        'isolate --init >/dev/null && isolate --silent --run -- "$@"; status=$?; isolate --cleanup; exit $status',
    ),
    *("isolate", INTERPRETER, "-c"),
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """`argv` takes the source as one more argument. `binary`: what must be installed."""

    name: str
    argv: tuple[str, ...]
    binary: str
    version_argv: tuple[str, ...]
    every: int = 1


_CANDIDATES = (
    _Candidate(PYTHON, (INTERPRETER, "-c"), INTERPRETER, (INTERPRETER, "--version")),
    _Candidate("python3 -I -S -c", (INTERPRETER, "-I", "-S", "-c"), INTERPRETER, (INTERPRETER, "--version")),
    _Candidate(BWRAP, _BWRAP, "bwrap", ("bwrap", "--version")),
    _Candidate("nsjail", _NSJAIL, "nsjail", ("dpkg-query", "-W", "-f", "${Version}", "nsjail")),
    _Candidate("isolate", _ISOLATE, "isolate", ("isolate", "--version")),
    _Candidate("docker run", docker_peer.run_argv(INTERPRETER), "docker", docker_peer.VERSION_ARGV, every=20),
)


@contextmanager
def peers() -> Iterator[tuple[list[Way], dict[str, Peer]]]:
    """Give the ways of those that work here, and what is known of all."""
    ways: list[Way] = []
    found: dict[str, Peer] = {}
    with docker_peer.image():
        for candidate in _CANDIDATES:
            once = _timer(candidate.argv)
            reason = _why_absent(candidate, once)
            found[candidate.name] = Peer(
                present=not reason, version="" if reason else _version(candidate), reason=reason
            )
            if not reason:
                ways.append(Way(candidate.name, once, candidate.every))
        yield ways, found


def _timer(argv: tuple[str, ...]) -> Callable[[], float]:
    def once() -> float:
        code, printed = python_print()
        begun_ns = time.perf_counter_ns()
        done = subprocess.run(
            (*argv, code), stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_SECS, check=True
        )
        elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
        check_text(done.stdout, printed)
        return elapsed_ms

    return once


def _why_absent(candidate: _Candidate, once: Callable[[], float]) -> str:
    if shutil.which(candidate.binary) is None:
        return "not installed"
    if candidate.binary == "docker" and (problem := docker_peer.problem()):
        return problem
    try:
        once()
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"does not work here: {said[-1][:200] if said else f'exit code {error.returncode}'}"
    except (OSError, subprocess.SubprocessError, WrongAnswerError) as error:
        return f"does not work here: {type(error).__name__}"
    return ""


def _version(candidate: _Candidate) -> str:
    try:
        done = subprocess.run(candidate.version_argv, capture_output=True, timeout=_TIMEOUT_SECS, check=True, text=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip().partition("\n")[0]
