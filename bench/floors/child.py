"""A child process that answers questions, one JSON object a line: what must not happen in the benchmark's own process.

In the child: `serve`. It ends at the end of its input, so with the benchmark, however that ends.
"""

import json
import select
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from bench.answers import WrongAnswerError
from bench.machine import ROOT

_TIMEOUT_SECS = 60
_MOST_SAID_CHARS = 300

type Facts = dict[str, Any]


class Child:
    """`python -m MODULE`, without an environment of its own. Use as a context manager."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            (sys.executable, "-m", self._module),
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate(timeout=_TIMEOUT_SECS)
        except BaseException:
            self._process.kill()
            self._process.wait(_TIMEOUT_SECS)
            raise

    def ask(self, timeout_secs: float = _TIMEOUT_SECS, **question: object) -> Facts:
        """Return the answer. Raises WrongAnswerError for a problem that it tells of, and OSError."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ConnectionError(f"{self._module} has no pipes")
        stdin.write(json.dumps(question).encode() + b"\n")
        if not select.select([stdout], [], [], timeout_secs)[0]:
            raise TimeoutError(f"{self._module} does not answer")
        line = stdout.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError(f"{self._module} has ended")
        answer: Facts = json.loads(line)
        if "problem" in answer:
            raise WrongAnswerError(answer["problem"])
        return answer


def serve(answer: Callable[[Facts], Facts]) -> None:
    """Answer until the end of the input. What `answer` raises is a problem, and told."""
    for line in sys.stdin.buffer:
        try:
            found = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever it is, the benchmark counts it as a wrong answer
            found = {"problem": f"{type(error).__name__}: {error}"[:_MOST_SAID_CHARS]}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
