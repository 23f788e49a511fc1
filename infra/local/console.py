"""One readable line per event in the foreground; colours on a terminal only."""

import io
import json
import mmap
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from infra.local.settings import Shown

_COLOURS = {"info": "", "warning": "\x1b[33m", "error": "\x1b[31m"}
_RESET = "\x1b[0m"
_MAX_VALUE_CHARS = 120
# What is written in any case: these parts, and warnings and errors of all.
_CALM_PARTS = frozenset({"stack", "first run", "state"})
_CALM_LEVELS = frozenset({"debug", "info"})
# Records of the runner that end a run.
_ENDS = {"execution completed": "run", "judge run completed": "judge"}
# So many lines of warnings and errors of one kind a minute: a trouble that lasts must not fill the disk with its log.
_MOST_ALIKE = 60
_ALIKE_SECS = 60.0
_MOST_KINDS = 500
# Embedded metrics, which are for CloudWatch, in powertools' spelling: several for each request.
_METRICS_START = '{"_aws":'
# Keys that are shown by other names or at other places.
_RENAMED = frozenset({"timestamp", "time", "ts", "level", "service", "message", "event", "msg"})
# Keys that every record of Lambda's loggers carries, and that say nothing on one machine.
_NOISE = _RENAMED | frozenset({
    "location", "cold_start", "function_name", "function_memory_size", "function_arn", "function_request_id",
    "xray_trace_id", "sampling_rate", "exception_name", "stack_trace", "exception", "logger", "component", "version",
})  # fmt: skip


class _Repeats:
    """Counts the lines of each kind in a minute, in one process."""

    def __init__(self) -> None:
        # By part and kind: the end of its minute, lines that were shown, and records that were left out.
        self._counts: dict[tuple[str, str], tuple[float, int, int]] = {}

    def admit(self, part: str, kind: str, lines: int) -> int | None:
        """Count a record. None: leave it out; else how many were left out in the minute before."""
        now = time.monotonic()
        until, shown, left_out = self._counts.get((part, kind), (0.0, 0, 0))
        if now < until and shown >= _MOST_ALIKE:
            self._counts[part, kind] = until, shown, left_out + 1
            return None
        if len(self._counts) >= _MOST_KINDS:  # kinds may come from clients
            self._counts.clear()
        self._counts[part, kind] = (until, shown + lines, 0) if now < until else (now + _ALIKE_SECS, lines, 0)
        return left_out


class Console:
    """Writes whole lines from any thread. Of warnings and errors, it leaves out those that repeat (see `_Repeats`)."""

    def __init__(self, stream: TextIO) -> None:
        self._repeats = _Repeats()
        self._stream = stream
        self._colour = stream.isatty()
        self._lock = threading.Lock()
        self._shown = mmap.mmap(-1, 1)  # shared with the processes that are forked later

    def show(self, shown: Shown) -> None:
        """Choose what is written from now on, in all processes."""
        self._shown[0] = shown

    def line(self, part: str, text: str, level: str = "info", kind: str = "") -> None:
        """Write a line. `kind`: of lines that repeat; default: lines of the same text."""
        self._record(part, text, level, {}, kind)

    def _record(self, part: str, phrase: object, level: str, record: dict[str, Any], kind: str = "") -> None:
        if level not in _CALM_LEVELS:
            trace = str(record.get("exception") or "").splitlines()
            kind = kind or " ".join([str(phrase), *trace[-1:]])
            if (left_out := self._repeats.admit(part, kind, 1 + len(trace))) is None:
                return
            record = record | {"like_it_left_out": left_out} if left_out else record
        self._show(part, phrase, level, record)

    def _show(self, part: str, phrase: object, level: str, record: dict[str, Any]) -> None:
        """Write `HH:MM:SS.mmm part text`, and the lines of a traceback."""
        if self._shown[0] != Shown.ALL and level in _CALM_LEVELS and part not in _CALM_PARTS:
            if self._shown[0] == Shown.RUNS and part == "runner" and phrase in _ENDS:
                self._show_line(_ENDS[str(phrase)], _run_line(record), level)
            return
        keys = [f"{key}={_short(value)}" for key, value in record.items() if key not in _NOISE and value is not None]
        for text in (" ".join([str(phrase), *keys]), *str(record.get("exception") or "").splitlines()):
            self._show_line(part, text, level)

    def _show_line(self, part: str, text: str, level: str) -> None:
        now = time.time()
        stamp = f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now % 1 * 1000):03d}"
        paint = _COLOURS.get(level, "") if self._colour else ""
        self.raw(f"{paint}{stamp} {part:<9} {text}{_RESET if paint else ''}")

    def failure(self, part: str, function: str) -> None:
        """Write the traceback of the current exception, which Lambda reports as a function error."""
        self._record(part, function, "error", {"exception": traceback.format_exc().rstrip()})

    def raw(self, text: str) -> None:
        """Write one line as it is. A closed terminal is no reason to stop."""
        with self._lock:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                pass

    def log(self, part: str, text: str) -> None:
        """Write one line of a part's own log: JSON records become readable, metrics are left out."""
        if text.startswith(_METRICS_START):
            return
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        if not isinstance(record, dict):  # a traceback, or the reason of a part that cannot work
            self.line(part, text, "warning")
        elif "_aws" not in record or "message" in record:  # metrics alone are for CloudWatch
            service = record.get("service")
            phrase = record.get("message") or record.get("event") or record.get("msg") or ""
            level = str(record.get("level", "info")).lower()
            self._record(service if isinstance(service, str) else part, phrase, level, _without_metrics(record))


def _run_line(record: dict[str, Any]) -> str:
    """Return the end of a run in a line: language, verdict, time, and the id that `rustbox result` takes."""
    words = [record.get("language"), record.get("verdict")]
    return " ".join(
        [
            *(str(word) for word in words if word),
            f"{record.get('run_ms', 0):.0f} ms",
            str(record.get("submission_id")),
        ]
    )


def _without_metrics(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out the fields that make a log line a metric too."""
    directives = record.get("_aws", {}).get("CloudWatchMetrics", [])
    names = {metric["Name"] for directive in directives for metric in directive["Metrics"]} | {"_aws"}
    return {name: value for name, value in record.items() if name not in names}


class JsonConsole(Console):
    """Writes each line as one JSON object, for programs that collect logs."""

    def _show(self, part: str, phrase: object, level: str, record: dict[str, Any]) -> None:
        """Write time, level, part and message."""
        head = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "part": part}
        kept = {name: value for name, value in record.items() if name not in _RENAMED and value is not None}
        self.raw(json.dumps({**head, "message": phrase, **kept}, default=str))


class LogStream(io.TextIOBase):
    """Replaces sys.stdout: passes the handlers' output to the console, line by line."""

    def __init__(self, console: Console, part: str) -> None:
        self._console = console
        self._part = part
        self._lock = threading.Lock()
        self._pending = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Keep an unfinished line until its end comes."""
        with self._lock:
            *lines, self._pending = (self._pending + text).split("\n")
        for text_line in lines:
            if text_line.strip():
                self._console.log(self._part, text_line)
        return len(text)


def stdout_console(*, as_json: bool = False) -> Console:
    """Return the console on the real standard output."""
    return JsonConsole(sys.stdout) if as_json else Console(sys.stdout)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _MAX_VALUE_CHARS else text[:_MAX_VALUE_CHARS] + "..."
