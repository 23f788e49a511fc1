"""A final submission as Piston's answer."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from events.vocabulary import Cause, Integrity, Language, Phase, Verdict
from functions.clock import MS_PER_SEC
from functions.dialects.compiler_text import without_heading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.dialects.piston.runtimes import Runtime
    from functions.submissions.model import Submission

    type End = tuple[int | None, str | None, str | None, str | None]

_COMPILED = frozenset({Language.C, Language.CPP, Language.JAVA, Language.GO, Language.RUST})
_KILLED = "SIGKILL"
_SHELL_SIGNAL = 128
"""Its packages run under a shell, which exits with this number more than the signal of its program."""


def executed(row: Submission, runtime: Runtime, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    """Return the answer of `execute`."""
    stderr = without_heading(row.language, stderr)
    metrics = row.metrics or {}
    run = _stage(stdout.decode(errors="replace"), stderr.decode(errors="replace"), _end(row), metrics)
    body = {"run": run, "language": runtime.name, "version": runtime.version}
    if row.result["phase"] == Phase.COMPILE:
        return {"compile": run, **body}
    if row.language not in _COMPILED:
        return body
    compile_ms, warnings = metrics.get("compile_ms"), str((row.compilation or {}).get("stderr", ""))
    took = {} if compile_ms is None else dict.fromkeys(("cpu_time_secs", "wall_time_secs"), compile_ms / MS_PER_SEC)
    return {"compile": _stage("", warnings, (0, None, None, None), took), **body}


def _stage(stdout: str, stderr: str, end: End, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step: its output, and how it ended. Times in ms, memory in bytes."""
    code, ended_by, status, message = end
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


def _end(row: Submission) -> End:
    """Return code, signal, status and message."""
    verdict, code, number = row.verdict, row.result.get("exit_code"), row.result.get("signal")
    if row.result["cause"] == Cause.OLE_OUTPUT_LIMIT or row.integrity == Integrity.TRUNCATED_BY_JUDGE_LIMIT:
        is_stdout = row.stdout_size_bytes >= row.stderr_size_bytes
        return None, _KILLED, *(("OL", "stdout length exceeded") if is_stdout else ("EL", "stderr length exceeded"))
    if verdict == Verdict.TLE:
        clock = " (wall clock)" if row.result["cause"] == Cause.TLE_WALL_JUDGE else ""
        return None, _KILLED, "TO", f"Time limit exceeded{clock}"
    if verdict == Verdict.AC or (code == 0 and number is None):
        return 0, None, None, None
    if code is None and (verdict == Verdict.MLE or number == signal.SIGKILL):
        return None, _KILLED, "SG", "Caught fatal signal 9"
    if code is None and number is not None:
        code = _SHELL_SIGNAL + number
    return code, None, "RE", f"Exited with error status {code}"


def _ms(secs: float | None) -> int | None:
    return None if secs is None else round(secs * MS_PER_SEC)
