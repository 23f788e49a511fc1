"""What a client feels, as a table: each number beside what the same work takes without this service."""

from dataclasses import dataclass

from bench.report import Place, Report, number, unit
from bench.rounds import BWRAP, PYTHON

_ONE, _RATE, _JUDGE = "One request", "per second", "one judge run"
_STACK_PEERS = (("bare `python3 -c`", ("stack", _ONE, PYTHON)), ("bubblewrap", ("stack", _ONE, BWRAP)))
_ALL_CORES = ("bare `python3 -c`, all cores", ("ratios", "bare python3 -c, all cores", _RATE))


@dataclass(frozen=True, slots=True)
class Row:
    """One number. `beside`: the names and places of the numbers that it is compared with."""

    what: str
    place: Place
    beside: tuple[tuple[str, Place], ...] = ()


ROWS = (
    Row("synchronous answer, Python", ("stack", _ONE, "wait=true, python"), _STACK_PEERS),
    Row("synchronous answer, C with its compilation", ("stack", _ONE, "wait=true, c, first compile")),
    Row("submission, answered with its id", ("stack", _ONE, "submit, answered with the id")),
    Row("poll of a finished run", ("stack", _ONE, "poll of a finished run")),
    Row("submission through the queue, with a long poll", ("stack", _ONE, "queue path, long poll"), _STACK_PEERS[:1]),
    Row(
        "webhook, from the submission to the verified body",
        ("ratios", "webhooks, one client", "median"),
        (("bare `python3 -c`", ("ratios", "bare python3 -c, one", "median")),),
    ),
    Row("signed call, to its verified webhook", ("inbound", "To the receiver", "from the start of the request")),
    Row(
        "run with network",
        ("network", "a run", "with network"),
        (("the same without network", ("network", "a run", "without network")),),
    ),
    *(
        Row(
            f"{cases} in one judge run",
            ("judge", cases, _JUDGE),
            (("one submission a case", ("judge", cases, "one submission a case")),),
        )
        for cases in ("200 cases in python", "50 cases in cpp")
    ),
    Row("synchronous answers, 16 clients", ("ratios", "synchronous answers, 16 clients", _RATE), (_ALL_CORES,)),
    Row("webhooks, 16 clients", ("ratios", "webhooks, 16 clients", _RATE), (_ALL_CORES,)),
    Row("deliveries beside two endpoints that hang", ("webhooks", "18 endpoints that answer", "sustained")),
    Row(
        "CPU time of `import numpy, pandas`",
        ("data", "import numpy, pandas", "median"),
        (("`print`", ("data", "print", "median")),),
    ),
)


def rows(report: Report) -> list[tuple[str, ...]]:
    """A table: heading, then each row that the report has a number for."""
    table: list[tuple[str, ...]] = [("", "median or rate", "p95", "beside it")]
    for row in ROWS:
        shown = _shown(report, row.place)
        if not shown:
            continue
        high = number(report, row.place, "p95")
        beside = [f"{name} {_shown(report, place)}" for name, place in row.beside if _shown(report, place)]
        table.append((row.what, shown, _measure(high, "ms"), ", ".join(beside)))
    return table


def _shown(report: Report, place: Place) -> str:
    return _measure(number(report, place, "median"), unit(report, place))


def _measure(value: float | None, of_unit: str) -> str:
    """Three digits, and all before the point; "" without a value."""
    if value is None:
        return ""
    return f"{value:.0f} {of_unit}" if abs(value) >= 1000 else f"{value:.3g} {of_unit}"
