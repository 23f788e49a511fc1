"""Targets as a table: what was measured, whether that is enough, and what would be the least on this machine."""

from bench.report import Place, Report
from bench.rounds import FLOOR, PYTHON
from bench.targets import TARGETS

_FLOORS = """\
A floor is the time of the same work without this project, on this machine and in this run. For a number that must be
at least so much, it is a ceiling. The notes of each section say what its floors hold."""


def rows(report: Report) -> list[tuple[str, ...]]:
    """A table: heading, then each target that the report has a number for. Columns of floors only where it has some."""
    table: list[tuple[str, ...]] = [
        ("", "target", "measured", "", "floor in this run", "measured to floor", "the floor is")
    ]
    for target in TARGETS:
        value, floor = target.measured(report), target.measured_floor(report)
        if value is None:
            continue
        sign = "at least" if target.least else "at most"
        table.append(
            (
                target.what,
                f"{sign} {target.bound:g} {target.unit}".strip(),
                f"{_short(value)} {target.unit}".strip(),
                "held" if target.is_held(value) else "missed",
                "" if floor is None else f"{_short(floor)} {target.unit}",
                f"{value / floor:.2f} x" if floor else "",
                "" if floor is None else _plain(target.floor),
            )
        )
    return table if floors(report) else [row[:4] for row in table]


def floors(report: Report) -> str:
    """Explain the columns of floors; "" for results without any."""
    return _FLOORS if any(target.measured_floor(report) is not None for target in TARGETS) else ""


def _short(value: float) -> str:
    """Three digits, and all before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _plain(place: Place) -> str:
    """The floor's name without its mark."""
    return next(name.removeprefix(FLOOR) for name in place if name.startswith(FLOOR))


def speed(report: Report) -> str:
    """The machine's speed in this run: what bare `python3 -c` took, in turn with each section's own; "" without it."""
    found = [
        f"{series.median:.3g} {series.unit} ({section.title[0].lower()}{section.title[1:]})"
        for section in report.sections.values()
        for series in section.series
        if series.name == PYTHON
    ]
    return f"The machine's speed in this run: bare `python3 -c` took {', '.join(found)}." if found else ""
