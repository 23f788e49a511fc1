"""Every answer is compared with the right one; a wrong answer fails the whole benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from bench.report import Answers
from events.completed import ExecutionCompleted
from sandbox_runtime.jail import CONTROLS

_MOST_EXAMPLES = 10
_EXAMPLE_CHARS = 300


class WrongAnswerError(Exception):
    """An answer that is not the right one, or none at all."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected answer. `stdout` None: anything, for programs that are stopped."""

    stdout: str | None
    verdict: str = "AC"
    cause: str = "normal_exit"


class Tally:
    """Counts answers from any thread."""

    def __init__(self) -> None:
        self.checked = 0
        self.wrong = 0
        self._examples: list[str] = []
        self._lock = Lock()

    def right(self, count: int = 1) -> None:
        """Count right answers."""
        with self._lock:
            self.checked += count

    def fail(self, example: str, count: int = 1) -> None:
        """Count wrong ones."""
        with self._lock:
            self.checked += count
            self.wrong += count
            if len(self._examples) < _MOST_EXAMPLES:
                self._examples.append(example[:_EXAMPLE_CHARS])

    def answers(self) -> Answers:
        """Return what was counted."""
        return Answers(checked=self.checked, wrong=self.wrong, examples=list(self._examples))


def check_text(stdout: bytes, expected: str) -> None:
    """Raises WrongAnswerError."""
    if stdout != expected.encode():
        raise WrongAnswerError(f"printed {stdout[:100]!r}, not {expected!r}")


def check_completed(completed: ExecutionCompleted, expected: Expected) -> None:
    """Raises WrongAnswerError. For answers of the executor or a runner."""
    stdout = completed.stdout.inline.decode()
    found = (completed.result.verdict, completed.result.cause)
    evidence = completed.evidence
    if evidence is None:
        raise WrongAnswerError(f"{found} without evidence: {completed.result.error_message}")
    _check(found, stdout, (evidence.controls_applied, evidence.controls_missing), expected)


def check_cached(completed: ExecutionCompleted, *, expected: bool) -> None:
    """Raises WrongAnswerError when the program was compiled and should not have been, or the other way round."""
    found = None if completed.metrics is None else completed.metrics.compile_cached
    if found is not expected:
        raise WrongAnswerError(f"compile_cached is {found}, not {expected}")


def check_result(result: Mapping[str, Any], expected: Expected) -> None:
    """Raises WrongAnswerError. For result objects of the API."""
    if "verdict" not in result:
        raise WrongAnswerError(f"no verdict: {result}")
    evidence = result["evidence"] or {"controls_applied": (), "controls_missing": ()}
    found = (result["verdict"], result["result"]["cause"])
    _check(found, result["stdout"], (evidence["controls_applied"], evidence["controls_missing"]), expected)


def _check(found: tuple[str, str], stdout: str, controls: tuple[Any, Any], expected: Expected) -> None:
    if found != (expected.verdict, expected.cause):
        raise WrongAnswerError(f"{found}, not {(expected.verdict, expected.cause)}; it printed {stdout[:100]!r}")
    if expected.stdout is not None and stdout != expected.stdout:
        raise WrongAnswerError(f"printed {stdout[:100]!r}, not {expected.stdout!r}")
    applied, missing = controls
    if missing or set(applied) != set(CONTROLS):
        raise WrongAnswerError(f"controls missing: {sorted(set(missing) | (set(CONTROLS) - set(applied)))}")
