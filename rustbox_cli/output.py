"""Output for people and programs. Text from the service never reaches the terminal as control sequences."""

import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from xml.etree import ElementTree as ET

import click

if TYPE_CHECKING:
    from rich.table import Table

# Rich takes a fifth of the time of a short command, and is imported by what draws with it.
# ruff: noqa: PLC0415

Columns: TypeAlias = Mapping[str, str | Callable[[Any], Any]]


PROGRESS_SECS = 10.0
"""Between two lines of progress where standard error is no terminal, such as the log of a job."""
_UNBOUNDED = 10_000
_FOLDED_WIDTH = 8
"""A column of a narrow terminal has at least so many characters beside the ids."""


def plain(text: str) -> str:
    """Escape control characters. They could move the cursor, hide text or set the title."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else f"\\x{ord(letter):02x}" for letter in text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file` and `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show_json(body: Any) -> None:
    click.echo(json.dumps(body, indent=2))


def tell(body: Any, text: str, *, as_json: bool) -> None:
    """Print an answer as JSON, or what it means as a line."""
    show_json(body) if as_json else click.echo(text)


def show_warnings(answer: Mapping[str, Any]) -> None:
    """Print the service's warnings about a request on standard error."""
    for warning in answer.get("warnings", ()):
        click.echo(f"rustbox: {plain(warning)}", err=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> None:
    """Print a table; without rows, print `nothing` on standard error."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        click.echo(nothing, err=True)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    needed = 0
    for column, texts in zip(columns, zip(*cells, strict=True), strict=True):
        # An id is copied from the terminal, so it stays whole; long texts beside it are folded.
        is_id = column.endswith("ID")
        needed += (max(map(len, texts)) if is_id else _FOLDED_WIDTH) + 2
        table.add_column(column, overflow="fold", no_wrap=is_id)
    for row in cells:
        table.add_row(*map(Text, row))
    _print(table, needed)


def show_list(items: list[Any], columns: Columns, nothing: str, *, as_json: bool) -> None:
    """Print the items of a list as JSON or as a table. `columns`: by heading, the field of an item or its value."""
    if as_json:
        show_json({"items": items})
        return
    rows = [[item[value] if isinstance(value, str) else value(item) for value in columns.values()] for item in items]
    show_table(tuple(columns), rows, nothing)


def show(body: Mapping[str, Any], *, as_json: bool) -> None:
    """Print an answer as JSON or as a record."""
    show_json(body) if as_json else show_record(body)


def show_record(record: Mapping[str, Any]) -> None:
    """Print a record, one attribute per line."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in record.items():
        table.add_row(Text(name), Text(_cell(value)))
    _print(table)


def waiting(text: str) -> AbstractContextManager[Any]:
    """Show a spinner if standard error is a terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(plain(text))


@contextmanager
def progress(text: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows two counts in `text`: in a terminal at once, else as a line every ten seconds."""
    if not sys.stderr.isatty():
        with _progress_lines(text) as tell:
            yield tell
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(text.partition(":")[0]) as status:
        yield lambda done, total: status.update(text.format(done, total))


@contextmanager
def _progress_lines(text: str) -> Iterator[Callable[[int, int], None]]:
    shown = text.partition(":")[0]
    has_ended = threading.Event()

    def tell(done: int, total: int) -> None:
        nonlocal shown
        shown = text.format(done, total)

    def write_lines() -> None:
        while not has_ended.wait(PROGRESS_SECS):
            click.echo(f"rustbox: {shown}", err=True)

    writer = threading.Thread(target=write_lines, daemon=True)
    writer.start()
    try:
        yield tell
    finally:
        has_ended.set()
        writer.join()


def _print(table: "Table", needed: int = 0) -> None:
    """Print a table as wide as the terminal, or as `needed`. A pipe gets one line a row."""
    from rich.console import Console

    console = Console(width=max(Console().width, needed) if sys.stdout.isatty() else _UNBOUNDED, highlight=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _cell(value: Any) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_cell(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{plain(str(name))}={_cell(part)}" for name, part in value.items())
    return plain(str(value))


# JUnit XML, as continuous integration systems read it.

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """A case of a suite. `kind`: None if it passed. `lines`: why it did not."""

    name: str
    secs: float
    kind: Literal["failure", "error", "skipped"] | None = None
    lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check with its finished run, as the API shows it."""

    slug: str
    run: dict[str, Any]
    runbook_url: str | None = None

    @property
    def has_passed(self) -> bool:
        """Whether the run passed, at once or when it was repeated."""
        return self.run["status"] in {"passed", "flaky"}

    @property
    def problems(self) -> list[str]:
        """The failed assertions, the reason and the runbook, a line each."""
        if self.has_passed:
            return []
        failed = [each for each in self.run["assertions"] if not each["passed"]]
        lines = [f"{each['assertion']}: expected {each['expected']}, got {each['actual']}" for each in failed]
        runbook = f"runbook: {self.runbook_url}" if self.runbook_url else ""
        return [*lines, *filter(None, (self.run["reason"], runbook))]

    @property
    def junit(self) -> JUnitCase:
        """A run that did not finish by itself is an error, no failure."""
        kind: Literal["failure", "error"] = "failure" if self.run["status"] == "failed" else "error"
        secs = self.run["wall_time_secs"] or 0
        lines = self.problems or [self.run["status"]]
        return JUnitCase(self.slug, secs) if self.has_passed else JUnitCase(self.slug, secs, kind, lines)


def junit_xml(suite_name: str, class_name: str, cases: Sequence[JUnitCase]) -> bytes:
    """Return one test suite."""
    kinds = Counter(case.kind for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(kinds["failure"]), "errors": str(kinds["error"])}
    if kinds["skipped"]:
        counts["skipped"] = str(kinds["skipped"])
    suite = ET.Element("testsuite", {"name": _xml(suite_name), **counts})
    for case in cases:
        attributes = {"classname": _xml(class_name), "name": _xml(case.name), "time": f"{case.secs:.3f}"}
        made = ET.SubElement(suite, "testcase", attributes)
        if case.kind is not None:
            lines = [_xml(line) for line in case.lines] or [""]
            ET.SubElement(made, case.kind, {"message": lines[0]}).text = "\n".join(lines)
    suites = ET.Element("testsuites", counts)
    suites.append(suite)
    ET.indent(suites)
    written: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _xml(text: str) -> str:
    """Replace characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
