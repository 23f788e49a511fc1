"""Time of the kernel for a run's namespaces and processes, by a C program without memory to copy."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.answers import WrongAnswerError
from bench.rounds import FLOOR, Way

NAME = f"{FLOOR}five namespaces and two processes, in C"
_SOURCE = Path(__file__).with_name("kernel.c")
_TIMEOUT_SECS = 30


@contextmanager
def kernel_ways(every: int) -> Iterator[list[Way]]:
    """Compile and start it, end it; no way without a C compiler. Raises CalledProcessError."""
    compiler = shutil.which("gcc")
    if compiler is None:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="rustbox-bench-") as place:
        program = f"{place}/kernel"
        subprocess.run(
            (compiler, "-std=c17", "-O2", "-static", "-o", program, str(_SOURCE)), check=True, timeout=_TIMEOUT_SECS
        )
        user = ("user",) if os.geteuid() else ()
        process = subprocess.Popen((program, *user), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        try:
            yield [Way(NAME, lambda: _once(process), every)]
        finally:
            process.communicate(timeout=_TIMEOUT_SECS)


def _once(process: subprocess.Popen[bytes]) -> float:
    """Raises WrongAnswerError when it has ended, and OSError."""
    if process.stdin is None or process.stdout is None:
        raise WrongAnswerError("it has no pipes")
    process.stdin.write(b"\n")
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        raise WrongAnswerError("a process or a namespace is not as it should be")
    return int(line) / 1e6
