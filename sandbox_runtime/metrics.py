"""Counters of one runner in the text format of Prometheus. No label holds an id, a name or a text of a tenant.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4"
PHASE_BOUNDS_SECS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

type Sample = tuple[str, Mapping[str, str], float]
"""A suffix of the metric's name, labels, and a value."""


class Metrics:
    """Counts since the start of the process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._started_at = time.time()
        self._runs: Counter[tuple[str, str]] = Counter()
        self._receive_errors: Counter[str] = Counter()
        self._phases: dict[str, list[float]] = {}  # one count for each bound, one over all bounds, and the sum

    def count_run(self, language: str, verdict: str, phases_secs: Mapping[str, float]) -> None:
        """Count a run with its language and verdict, and the time of each of its phases."""
        with self._lock:
            self._runs[language, verdict] += 1
            for phase, secs in phases_secs.items():
                counts = self._phases.setdefault(phase, [0.0] * (len(PHASE_BOUNDS_SECS) + 2))
                counts[bisect_left(PHASE_BOUNDS_SECS, secs)] += 1
                counts[-1] += secs

    def count_receive_error(self, queue: str) -> None:
        """Count a failed receive. `queue`: interactive or batch."""
        with self._lock:
            self._receive_errors[queue] += 1

    def text(self, gauges: Mapping[str, tuple[str, float]], info: Mapping[str, Mapping[str, str]]) -> str:
        """Return the page. `gauges`: name -> (help, value). `info`: name -> labels of a metric that is always 1."""
        with self._lock:
            runs, errors = dict(self._runs), dict(self._receive_errors)
            phases = {phase: list(counts) for phase, counts in self._phases.items()}
        parts = [
            _family(
                "rustbox_runs_total",
                "counter",
                "Runs that ended, by language and verdict.",
                (
                    ("", {"language": language, "verdict": verdict}, n)
                    for (language, verdict), n in sorted(runs.items())
                ),
            ),
            _family(
                "rustbox_receive_errors_total",
                "counter",
                "Receives that failed, by queue.",
                (("", {"queue": queue}, n) for queue, n in sorted(errors.items())),
            ),
            _family(
                "rustbox_phase_seconds",
                "histogram",
                "Time of a phase of a run.",
                (sample for phase in sorted(phases) for sample in _histogram(phase, phases[phase])),
            ),
            _family("rustbox_start_time_seconds", "gauge", "Start of the process.", [("", {}, self._started_at)]),
        ]
        parts += [_family(name, "gauge", text, [("", {}, value)]) for name, (text, value) in gauges.items()]
        parts += [_family(name, "gauge", "Always 1.", [("", labels, 1)]) for name, labels in info.items()]
        return "".join(parts)


def _histogram(phase: str, counts: list[float]) -> Iterable[Sample]:
    *buckets, total_secs = counts
    seen = 0.0
    for bound, count in zip((*map(str, PHASE_BOUNDS_SECS), "+Inf"), buckets, strict=True):
        seen += count
        yield "_bucket", {"phase": phase, "le": bound}, seen
    yield "_sum", {"phase": phase}, total_secs
    yield "_count", {"phase": phase}, seen


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for suffix, labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        lines.append(f"{name}{suffix}{{{shown}}} {value:.15g}" if shown else f"{name}{suffix} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(content: str) -> str:
    return content.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
