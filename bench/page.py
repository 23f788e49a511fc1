"""A report as Markdown: `docs/benchmarks.md`, and in the same form on the terminal."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import felt_table, target_table
from bench.report import Figure, Report, Section, read
from bench.rounds import FLOOR

DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS = DOCS / "benchmarks"
PAGE = DOCS / "benchmarks.md"

_HEAD = """# Benchmarks

Measure your machine:

```text
make bench                                                # everything; writes this page
make bench ARGS="--quick --sections jail,stack"           # less; publishes nothing
make bench ARGS=--render                                  # every number of the newest run, as tables
```
"""
_HOW = """## How it is measured

`make bench` wrote this page from [{name}](benchmarks/{name}); do not edit it.
Each timed request has a new source. Output, verdict and controls of each answer are checked.
[Performance](performance.md#beside-its-peers) has orkait/rustbox, go-judge, Piston and Svix beside it.
"""
_PRINT = "Python print"
_NOTHING = "-"
_BUSY = "**The machine was busy with something else before the first section: see its load.**\n"
_QUICK = "**A quick run: few rounds, which show that everything works. Its numbers are not to be quoted.**\n"


def newest() -> Path:
    """The file that the page is made of. Raises ValueError if there is none."""
    return max(RESULTS.glob("*.json"))


def page(path: Path) -> str:
    """The whole page for a JSON file: what a client feels first, the targets and the method last."""
    report = read(path)
    machine = report.machine
    conditions = (
        f"{machine['cores']} cores ({machine['cpu_model']}), {machine['memory_mib']} MiB, Linux {machine['kernel']},"
        f" {machine['cgroup_backend']}, revision {report.versions['git revision']}; load before: {_load(report)}.\n"
    )
    lines = [
        _HEAD,
        "## What a client feels\n",
        *_table(felt_table.rows(report)),
        f"{target_table.speed(report)} Compare within a row: the speed of one machine differs from day to day.\n",
        *_summary(report),
        conditions,
        *_sandboxes(report),
        *_missed(report),
        _HOW.format(name=path.name),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _sandboxes(report: Report) -> list[str]:
    """One program in this project's jail, in other sandboxes, and in none."""
    if (jail := report.sections.get("jail")) is None:
        return []
    found = [series for series in jail.series if series.group == _PRINT]
    rows = [("one `print` in Python", "median", "p95", "to bare python3 -c")]
    rows += [
        (series.name, f"{_number(series.median)} ms", f"{_number(series.p95)} ms", _ratio(series.to_python))
        for series in found
        if not series.name.startswith(FLOOR)
    ]
    absent = [f"{name} ({peer.reason})" for name, peer in report.peers.items() if not peer.present]
    return [
        "## The sandbox alone, beside others\n",
        *_table(rows),
        *([f"Not measured here: {', '.join(absent)}.\n"] if absent else []),
    ]


def tables(report: Report) -> str:
    """All numbers of a report."""
    machine = {**report.machine, "load_before": _load(report)}
    lines = _summary(report)
    lines += [
        "## Machine\n",
        *_table([("", ""), *((name.replace("_", " "), str(fact)) for name, fact in machine.items())]),
    ]
    lines += ["## Versions\n", *_table([("", ""), *report.versions.items()])]
    peers = [(name, peer.version or f"absent: {peer.reason}") for name, peer in report.peers.items()]
    lines += ["## Peers\n", *_table([("", ""), *peers])]
    lines += _targets(report)
    for section in report.sections.values():
        lines += [f"## {section.title}\n", *_section(section)]
    return "\n".join(lines)


def _summary(report: Report) -> list[str]:
    answers = report.answers
    lines = [_QUICK] if report.quick else []
    lines += [_BUSY] if report.machine["load_before"][0] > report.machine["cores"] / 2 else []
    lines += [
        f"{report.started_at} to {report.finished_at}. Answers checked: {answers.checked}, wrong: {answers.wrong}.",
        "",
    ]
    return lines + [f"* wrong: {example}" for example in answers.examples]


def _load(report: Report) -> str:
    return ", ".join(map(str, report.machine["load_before"]))


def _missed(report: Report) -> list[str]:
    """Say how many targets were held, and name the others in a line each."""
    name, missed, aimed = "", list[str](), target_table.rows(report)[1:]
    for what, bound, measured, verdict, *_ in aimed:
        name = what.replace("the same", name)
        if verdict == "missed":
            missed.append(f"* {name}: {measured}, target {bound}")
    return ["## Targets\n", f"{len(aimed) - len(missed)} of {len(aimed)} targets were held. Missed:\n", *missed, ""]


def _targets(report: Report) -> list[str]:
    if len(aimed := target_table.rows(report)) == 1:
        return []
    said = [f"{text}\n" for text in (target_table.speed(report), target_table.floors(report)) if text]
    return ["## Targets\n", *said, *_table(aimed)]


def _section(section: Section) -> list[str]:
    if section.missing is not None:
        return [f"{section.missing[0].upper()}{section.missing[1:]}.", ""]
    lines = [*section.notes, ""] if len(section.notes) == 1 else [*(f"* {note}" for note in section.notes), ""]
    for group in dict.fromkeys(series.group for series in section.series):
        rows: list[tuple[str, ...]] = [(group, "median", "p95", "least", "most", "n", "to python3 -c", "to bwrap")]
        rows += [
            (
                series.name,
                *(
                    f"{_number(value)} {series.unit}"
                    for value in (series.median, series.p95, series.least, series.most)
                ),
                str(series.n),
                _ratio(series.to_python),
                _ratio(series.to_bwrap),
            )
            for series in section.series
            if series.group == group
        ]
        lines += _table(_without_empty_columns(rows))
    for figures in _alike(section.figures):
        lines += _table(_pivot(figures))
    return lines


def _alike(figures: Sequence[Figure]) -> list[list[Figure]]:
    """Figures of groups that have the same columns share a table."""
    by_group: dict[str, list[Figure]] = {}
    for figure in figures:
        by_group.setdefault(figure.group, []).append(figure)
    by_columns: dict[tuple[str, ...], list[Figure]] = {}
    for group in by_group.values():
        by_columns.setdefault(tuple(figure.name for figure in group), []).extend(group)
    return list(by_columns.values())


def _pivot(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    columns = list(dict.fromkeys(figure.name for figure in figures))
    cells = {(figure.group, figure.name): f"{_plain(figure.value)} {figure.unit}".strip() for figure in figures}
    groups = dict.fromkeys(figure.group for figure in figures)
    return [("", *columns), *((group, *(cells[group, column] for column in columns)) for group in groups)]


def _without_empty_columns(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    kept = [index for index in range(len(rows[0])) if any(row[index] for row in rows[1:])]
    return [tuple(row[index] for index in kept) for row in rows]


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Aligned, so that it reads well on a terminal too; columns of numbers to the right."""
    cells = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    lines = [""] * (len(cells) + 1)
    for index, column in enumerate(zip(*cells, strict=True)):
        width = max(3, *map(len, column))
        is_right = index > 0 and all(cell[:1].isdigit() or cell in {"", _NOTHING} for cell in column[1:])
        rule = f"{'-' * (width - 1)}:" if is_right else "-" * width
        padded = [cell.rjust(width) if is_right else cell.ljust(width) for cell in column]
        for number, cell in enumerate((padded[0], rule, *padded[1:])):
            lines[number] += f"| {cell} "
    return [*(f"{line}|" for line in lines), ""]


def _number(value: float) -> str:
    """Three digits that count, and no more than that of what is large."""
    decimals = next((decimals for decimals, bound in ((3, 1), (2, 10), (1, 100)) if abs(value) < bound), 0)
    return f"{value:.{decimals}f}"


def _plain(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.12g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{_number(value)} x"
