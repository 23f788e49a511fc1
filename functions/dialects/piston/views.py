"""A final submission as Piston's answer."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, TypedDict

from functions.clock import MS_PER_SEC
from functions.messages.languages import Language
from functions.messages.verdict import Cause, Integrity, Phase, Verdict

if TYPE_CHECKING:
    from functions.dialects.piston.runtimes import Runtime
    from functions.submissions.model import Submission

_COMPILED = frozenset({Language.C, Language.CPP, Language.JAVA, Language.GO, Language.RUST})
_KILLED = "SIGKILL"
_SHELL_SIGNAL = 128
"""Its packages run under a shell, which exits with this number more than the signal of its program."""


class Stage(TypedDict):
    """A step: its output, and how it ended. Times in ms, memory in bytes."""

    signal: str | None
    stdout: str
    stderr: str
    code: int | None
    output: str
    memory: int | None
    message: str | None
    status: str | None
    cpu_time: int | None
    wall_time: int | None


def executed(row: Submission, runtime: Runtime, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    """Return the answer of `execute`."""
    out, err = stdout.decode(errors="replace"), stderr.decode(errors="replace")
    body: dict[str, Any] = {"language": runtime.name, "version": runtime.version}
    if row.result["phase"] == Phase.COMPILE:
        stage = _stage(row, out, err)
        return {"compile": stage, "run": stage} | body
    run = _stage(row, out, err)
    if row.language not in _COMPILED:
        return {"run": run} | body
    return {"compile": _compiled(row), "run": run} | body


def _compiled(row: Submission) -> Stage:
    warnings = str((row.compilation or {}).get("stderr", ""))
    compile_ms = (row.metrics or {}).get("compile_ms")
    took = None if compile_ms is None else round(compile_ms)
    return {
        "signal": None,
        "stdout": "",
        "stderr": warnings,
        "code": 0,
        "output": warnings,
        "memory": None,
        "message": None,
        "status": None,
        "cpu_time": took,
        "wall_time": took,
    }


def _stage(row: Submission, stdout: str, stderr: str) -> Stage:
    metrics = row.metrics or {}
    code, ended_by, status, message = _end(row)
    return {
        "signal": ended_by,
        "stdout": stdout,
        "stderr": stderr,
        "code": code,
        "output": stdout + stderr,
        "memory": metrics.get("memory_peak_bytes"),
        "message": message,
        "status": status,
        "cpu_time": _ms(metrics.get("cpu_time_secs")),
        "wall_time": _ms(metrics.get("wall_time_secs")),
    }


def _end(row: Submission) -> tuple[int | None, str | None, str | None, str | None]:
    """Return code, signal, status and message."""
    result = row.result
    verdict, code, number = result["verdict"], result.get("exit_code"), result.get("signal")
    if result["cause"] == Cause.OLE_OUTPUT_LIMIT or row.integrity == Integrity.TRUNCATED_BY_JUDGE_LIMIT:
        is_stdout = row.stdout_size_bytes >= row.stderr_size_bytes
        return None, _KILLED, *(("OL", "stdout length exceeded") if is_stdout else ("EL", "stderr length exceeded"))
    if verdict == Verdict.TLE:
        clock = " (wall clock)" if result["cause"] == Cause.TLE_WALL_JUDGE else ""
        return None, _KILLED, "TO", f"Time limit exceeded{clock}"
    if verdict == Verdict.AC or (code == 0 and number is None):
        return 0, None, None, None
    if verdict == Verdict.MLE and code is None:
        return None, _KILLED, "SG", "Caught fatal signal 9"
    if code is None and number is not None:
        if number == signal.SIGKILL:
            return None, _KILLED, "SG", "Caught fatal signal 9"
        code = _SHELL_SIGNAL + number
    return code, None, "RE", f"Exited with error status {code}"


def _ms(secs: float | None) -> int | None:
    return None if secs is None else round(secs * MS_PER_SEC)
