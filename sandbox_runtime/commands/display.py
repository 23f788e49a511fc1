"""The output of `run` for a finished execution."""

from events.completed import ExecutionCompleted, Stream
from events.message import as_fields

MIB = 1024 * 1024


def summary(completed: ExecutionCompleted) -> str:
    """Return one line: verdict, reason, times, memory."""
    result, metrics = completed.result, completed.metrics
    parts = [f"{result.verdict} {result.cause}"]
    if result.exit_code is not None:
        parts.append(f"exit code {result.exit_code}")
    if result.signal is not None:
        parts.append(f"signal {result.signal}")
    if metrics is not None:
        parts.append(f"wall {metrics.wall_time_secs:.3f} s")
        parts.append(f"CPU {metrics.cpu_time_secs:.3f} s")
        parts.append(f"memory {metrics.memory_peak_bytes / MIB:.1f} MiB")
        if metrics.compile_ms is not None:
            parts.append(f"compiled in {metrics.compile_ms:.0f} ms")
    if result.error_message is not None:
        parts.append(result.error_message)
    if completed.evidence is not None and completed.evidence.controls_missing:
        parts.append(f"isolation permissive, NOT IN FORCE: {', '.join(completed.evidence.controls_missing)}")
    return ", ".join(parts)


def as_json(completed: ExecutionCompleted) -> dict[str, object]:
    """Return the nested form of the API's result object. Replaces invalid UTF-8."""
    fields = as_fields(completed)
    output = {
        "stdout": _text(completed.stdout),
        "stderr": _text(completed.stderr),
        "integrity": completed.integrity,
    }
    names = ("language", "result", "metrics", "evidence")
    return {**{name: fields[name] for name in names}, "output": output}


def _text(output: Stream) -> str:
    return output.inline.decode("utf-8", "replace")
