"""The layout of a benchmark's JSON file: these classes, field by field. `LAYOUT` changes when a field does.

Reading is strict: a file with another layout cannot be rendered, instead of being rendered wrongly.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

LAYOUT = 1

type Place = tuple[str, str, str]
"""Section, then group and name of a series or figure there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One thing that was timed again and again."""

    group: Annotated[str, "its series are compared: they ran in interleaved rounds"]
    name: Annotated[str, "what was timed; `floor: ` before it: without this project, in the same rounds or beside them"]
    unit: Annotated[str, "unit of median, p95, least and most"]
    n: Annotated[int, "timed requests with a right answer"]
    median: Annotated[float, "median"]
    p95: Annotated[float, "95th percentile, nearest rank"]
    least: Annotated[float, "fastest"]
    most: Annotated[float, "slowest"]
    to_python: Annotated[
        float | None, "median divided by that of bare `python3 -c` in the same rounds, null without it"
    ]
    to_bwrap: Annotated[float | None, "median divided by that of bwrap in the same rounds, null without it"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number."""

    group: Annotated[str, "row of the table; `floor: ` before it as for series"]
    name: Annotated[str, "column of the table"]
    value: Annotated[float | None, "the number, null where there is none"]
    unit: Annotated[str, "its unit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a benchmark."""

    title: Annotated[str, "heading"]
    missing: Annotated[str | None, "why nothing was measured, null if it was"]
    notes: Annotated[list[str], "how it was measured, and what is absent"]
    series: Annotated[list[Series], "list of series"]
    figures: Annotated[list[Figure], "list of figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another way to run a program, measured beside ours."""

    present: Annotated[bool, "whether it gave a right answer on this host"]
    version: Annotated[str, 'its version by its own words, "" if absent']
    reason: Annotated[str, 'why it is absent, "" if present']


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The number of checked answers, and of wrong ones."""

    checked: Annotated[int, "answers that were compared with the right ones"]
    wrong: Annotated[int, "of these, the wrong ones, with failed requests and missing controls among them"]
    examples: Annotated[list[str], "the first of them"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run of the benchmark."""

    layout: Annotated[int, "number of this layout"]
    started_at: Annotated[str, "RFC 3339, UTC"]
    finished_at: Annotated[str, "RFC 3339, UTC"]
    quick: Annotated[bool, "true: few rounds, which show that it works; the numbers are not to be quoted"]
    machine: Annotated[
        dict[str, Any], "facts of the machine; `load_before` are the load averages before the first section"
    ]
    versions: Annotated[dict[str, str], "of everything that takes part, by name"]
    peers: Annotated[dict[str, Peer], "by name"]
    answers: Annotated[Answers, "of all sections"]
    sections: Annotated[dict[str, Section], "by name"]

    def write(self, path: Path) -> None:
        """Write JSON whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".new")
        draft.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(path)


def number(report: Report, place: Place, part: str) -> float | None:
    """Return the field `part` of a series, or the value of a figure, which has no p95; None where there is none."""
    found = _find(report, place)
    if isinstance(found, Figure):
        return None if part == "p95" else found.value
    value: float | None = getattr(found, part, None)
    return value


def unit(report: Report, place: Place) -> str:
    """Return the unit of a series or figure; "" where there is none."""
    found = _find(report, place)
    return "" if found is None else found.unit


def _find(report: Report, place: Place) -> Series | Figure | None:
    section, group, name = place
    if section not in report.sections:
        return None
    numbers: list[Series | Figure] = [*report.sections[section].series, *report.sections[section].figures]
    return next((found for found in numbers if (found.group, found.name) == (group, name)), None)


def read(path: Path) -> Report:
    """Raises ValueError for another layout, TypeError for a missing or unknown field."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["layout"] != LAYOUT:
        raise ValueError(f"{path.name} has layout {found['layout']}, this is {LAYOUT}: run the benchmark again")
    found["peers"] = {name: Peer(**peer) for name, peer in found["peers"].items()}
    found["answers"] = Answers(**found["answers"])
    for name, section in found["sections"].items():
        section["series"] = [Series(**series) for series in section["series"]]
        section["figures"] = [Figure(**figure) for figure in section["figures"]]
        found["sections"][name] = Section(**section)
    return Report(**found)
