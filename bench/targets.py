"""The targets on a machine with two cores, beside the numbers of a report. A missed target fails nothing.

Beside that stands, where there is one, what the same work takes without anything that this project adds: its floor, or
for a rate its ceiling.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.floors import calls, interpreter
from bench.floors.tools import floor_name
from bench.jail_loops import FLOOR_NAME as LOOPS_FLOOR
from bench.report import Place, Report, number


@dataclass(frozen=True, slots=True)
class Target:
    """One bound. `part`: a field of the series, "" for a figure's value. `least`: the bound is from below."""

    what: str
    place: Place
    part: str
    bound: float
    unit: str
    least: bool = False

    def measured(self, report: Report) -> float | None:
        """The number of the report; None if it has none."""
        return number(report, self.place, self.part)

    def measured_floor(self, report: Report) -> float | None:
        """The same of its floor; None where it has none, or the report is older than it."""
        return number(report, self.floor, self.part)

    @property
    def floor(self) -> Place:
        """The name of its floor, if it has one."""
        section, group, name = self.place
        return _FLOORS.get(self.place, (section, group, floor_name(name)))

    def is_held(self, value: float) -> bool:
        """Whether it is reached."""
        return value >= self.bound if self.least else value <= self.bound


_PRINT, _ONE, _ALL = "Python print", "One request", "All languages"
_RATE = "right answers per second"
_WELL = "18 endpoints that answer"
_LOAD = calls.load_name()
_FLOORS: Mapping[Place, Place] = {
    ("jail", _PRINT, "jail, fresh"): ("jail", _PRINT, interpreter.IN_NAMESPACES),
    ("jail", _PRINT, "jail, pre-warmed"): ("jail", _PRINT, interpreter.WAITING),
    ("jail", "2 slots, 2 processes", "runs per second"): ("jail", LOOPS_FLOOR, "runs per second"),
    ("stack", _ONE, "wait=true, python"): ("stack", _ONE, calls.ANSWER),
    ("stack", _ONE, "submit, answered with the id"): ("stack", _ONE, calls.ID),
    ("stack", _ONE, "poll of a finished run"): ("stack", _ONE, calls.READ),
    ("throughput", "16 clients", _RATE): ("throughput", _LOAD, calls.RATE),
    ("throughput", "Latency", "16 clients"): ("throughput", "Latency", _LOAD),
}

TARGETS = (
    Target("jail, Python, fresh", ("jail", _PRINT, "jail, fresh"), "median", 3, "ms"),
    Target("the same, to bare python3 -c", ("jail", _PRINT, "jail, fresh"), "to_python", 0.3, "x"),
    Target("jail, Python, pre-warmed", ("jail", _PRINT, "jail, pre-warmed"), "median", 1.3, "ms"),
    Target("the same, to bare python3 -c", ("jail", _PRINT, "jail, pre-warmed"), "to_python", 0.13, "x"),
    Target("jail, 2 cores", ("jail", "2 slots, 2 processes", "runs per second"), "", 400, "1/s", least=True),
    Target("sync answer", ("stack", _ONE, "wait=true, python"), "median", 8, "ms"),
    Target("sync answer, p95", ("stack", _ONE, "wait=true, python"), "p95", 20, "ms"),
    Target("sync answer, one behind the other", ("throughput", "Latency", "1 client"), "median", 8, "ms"),
    Target("the same, p95", ("throughput", "Latency", "1 client"), "p95", 20, "ms"),
    Target("async id", ("stack", _ONE, "submit, answered with the id"), "median", 6, "ms"),
    Target("poll of a finished run", ("stack", _ONE, "poll of a finished run"), "median", 4, "ms"),
    Target("queue path", ("stack", _ONE, "queue path, long poll"), "median", 150, "ms"),
    Target("16 clients", ("throughput", "16 clients", _RATE), "", 250, "1/s", least=True),
    Target("16 clients, p95", ("throughput", "Latency", "16 clients"), "p95", 120, "ms"),
    Target("javascript", ("jail", _ALL, "javascript"), "median", 12, "ms"),
    Target("typescript", ("jail", _ALL, "typescript"), "median", 12, "ms"),
    Target("java, with compile", ("jail", _ALL, "java, waiting, first compile"), "median", 80, "ms"),
    Target("c, first compile", ("jail", _ALL, "c, first compile"), "median", 35, "ms"),
    Target("c, again", ("jail", _ALL, "c, again"), "median", 8, "ms"),
    Target("c++ with iostream, first compile", ("jail", _ALL, "cpp, first compile"), "median", 80, "ms"),
    Target("c++, again", ("jail", _ALL, "cpp, again"), "median", 8, "ms"),
    Target("go, first compile", ("jail", _ALL, "go, first compile"), "median", 90, "ms"),
    Target("go, again", ("jail", _ALL, "go, again"), "median", 8, "ms"),
    Target("rust, first compile", ("jail", _ALL, "rust, first compile"), "median", 110, "ms"),
    Target("rust, again", ("jail", _ALL, "rust, again"), "median", 8, "ms"),
    Target("stack at rest", ("memory", "whole stack", "PSS"), "", 360, "MiB"),
    Target("an idle slot", ("memory", "per idle slot", "PSS"), "", 60, "MiB"),
    Target("webhooks beside two that hang, p95", ("webhooks", "Latency", _WELL), "p95", 2000, "ms"),
    Target("soak, wrong answers", ("soak", "wrong answers", "count"), "", 0, ""),
)
