"""What was aimed at on a machine with two cores, beside what a report measured. A missed target fails nothing.

Why one is missed, where its time goes and what was tried is written in `docs/performance.md`.
"""

from dataclasses import dataclass

from tests.bench.report import Report


@dataclass(frozen=True, slots=True)
class Target:
    """One bound. `place`: section, then group and name of a series or figure there.

    `part`: a field of the series, "" for a figure's value. `least`: the bound is from below.
    """

    what: str
    place: tuple[str, str, str]
    part: str
    bound: float
    unit: str
    least: bool = False

    def measured(self, report: Report) -> float | None:
        """What the report has; None where it has nothing."""
        section, group, name = self.place
        if section not in report.sections:
            return None
        found = report.sections[section]
        numbers = found.series if self.part else found.figures
        for number in numbers:
            if (number.group, number.name) == (group, name):
                value = getattr(number, self.part or "value")
                return None if value is None else float(value)
        return None

    def is_held(self, value: float) -> bool:
        """Whether it is reached."""
        return value >= self.bound if self.least else value <= self.bound


_PRINT, _ONE, _ALL = "Python print", "One request", "All languages"
_RATE = "right answers per second"
_WELL = "18 endpoints that answer"

TARGETS = (
    Target("jail, Python, fresh", ("jail", _PRINT, "jail, fresh"), "median", 3, "ms"),
    Target("the same, to bare python3 -c", ("jail", _PRINT, "jail, fresh"), "to_python", 0.3, "x"),
    Target("jail, Python, pre-warmed", ("jail", _PRINT, "jail, pre-warmed"), "median", 1.3, "ms"),
    Target("the same, to bare python3 -c", ("jail", _PRINT, "jail, pre-warmed"), "to_python", 0.13, "x"),
    Target("jail, 2 cores", ("jail", "2 slots, 2 processes", "runs per second"), "", 400, "1/s", least=True),
    Target("sync answer", ("stack", _ONE, "wait=true, python"), "median", 8, "ms"),
    Target("sync answer, p95", ("stack", _ONE, "wait=true, python"), "p95", 20, "ms"),
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
    Target("stack at rest", ("memory", "whole stack", "PSS"), "", 400, "MiB"),
    Target("an idle slot", ("memory", "per idle slot", "PSS"), "", 60, "MiB"),
    Target("webhooks beside two that hang, p95", ("webhooks", "Latency", _WELL), "p95", 2000, "ms"),
    Target("soak, wrong answers", ("soak", "wrong answers", "count"), "", 0, ""),
)


def rows(report: Report) -> list[tuple[str, ...]]:
    """A table: heading, then each target that the report has a number for."""
    table: list[tuple[str, ...]] = [("", "target", "measured", "")]
    for target in TARGETS:
        value = target.measured(report)
        if value is None:
            continue
        sign = "at least" if target.least else "at most"
        table.append(
            (
                target.what,
                f"{sign} {target.bound:g} {target.unit}".strip(),
                f"{value:.3g} {target.unit}".strip(),
                "held" if target.is_held(value) else "missed",
            )
        )
    return table
