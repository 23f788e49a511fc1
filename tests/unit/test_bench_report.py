"""A benchmark's JSON file is read strictly, and what is published is what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import felt_table, page, target_table, targets
from bench.floors import interpreter
from bench.report import LAYOUT, Answers, Figure, Peer, Report, Section, Series, read
from bench.rounds import PYTHON


def series(name: str, median: float, to_bwrap: float | None = None) -> Series:
    numbers = {"median": median, "p95": median * 2, "least": median / 2, "most": median * 3}
    return Series(group="Print", name=name, unit="ms", n=20, to_python=None, to_bwrap=to_bwrap, **numbers)


def report(*, wrong: int = 0, quick: bool = False) -> Report:
    figures = [
        Figure(group="4 clients", name="errors", value=0, unit=""),
        Figure(group="4 clients", name="rate", value=12.5, unit="1/s"),
        Figure(group="per slot", name="PSS", value=None, unit="MiB"),
    ]
    measured = Section(
        title="Load", missing=None, notes=["On loopback."], series=[series("a|b", 1.234, 0.5)], figures=figures
    )
    absent = Section(title="Direct", missing="not available: no server", notes=[], series=[], figures=[])
    return Report(
        layout=LAYOUT,
        started_at="2026-11-25T00:00:00Z",
        finished_at="2026-11-25T00:01:00Z",
        quick=quick,
        machine={"load_before": [0.1, 0.2, 0.3], "cores": 2},
        versions={"python": "3.13"},
        peers={
            "bwrap": Peer(present=True, version="1.2", reason=""),
            "jail": Peer(present=False, version="", reason="no"),
        },
        answers=Answers(checked=20, wrong=wrong, examples=["printed 1"] * wrong),
        sections={"load": measured, "direct": absent},
    )


def test_a_written_report_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "a.json"
    report().write(path)
    assert read(path) == report()
    assert [found.name for found in path.parent.iterdir()] == ["a.json"]


def test_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    report().write(path)
    path.write_text(path.read_text().replace(f'"layout": {LAYOUT}', f'"layout": {LAYOUT + 1}'))
    with pytest.raises(ValueError, match="run the benchmark again"):
        read(path)


@pytest.mark.parametrize("place", ["report", "section", "series"])
def test_an_unknown_field_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.json"
    report().write(path)
    found = json.loads(path.read_text())
    section = found["sections"]["load"]
    {"report": found, "section": section, "series": section["series"][0]}[place]["new"] = 1
    path.write_text(json.dumps(found))
    with pytest.raises(TypeError, match="new"):
        read(path)


def test_tables_show_numbers_ratios_and_absent_values() -> None:
    lines = page.tables(report()).splitlines()
    assert r"| a\|b  | 1.23 ms | 2.47 ms | 0.617 ms | 3.70 ms |  20 |  0.500 x |" in lines
    assert "|           | errors |     rate |" in lines
    assert "| 4 clients |      0 | 12.5 1/s |" in lines
    assert any("per slot" in line and "| - MiB |" in line for line in lines)
    assert "Not available: no server." in lines
    assert any("absent: no" in line for line in lines)
    assert not any("quick run" in line for line in lines)


def test_quick_runs_and_wrong_answers_say_so() -> None:
    text = page.tables(report(wrong=1, quick=True))
    assert "not to be quoted" in text
    assert "wrong: 1." in text
    assert "* wrong: printed 1" in text


def test_the_page_is_rendered_from_the_newest_results() -> None:
    newest = page.newest()
    assert read(newest).answers.wrong == 0
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.page(newest), "make bench ARGS=--render"
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *("## What a client feels", "## The sandbox alone, beside others", "## Targets"),
        "## How it is measured",
    ]


def test_every_row_of_what_a_client_feels_has_a_number_in_the_newest_results() -> None:
    newest = read(page.newest())
    table = felt_table.rows(newest)
    assert [row[0] for row in table[1:]] == [row.what for row in felt_table.ROWS]
    assert [
        row.what for row, shown in zip(felt_table.ROWS, table[1:], strict=True) if row.beside and not shown[3]
    ] == []


def test_every_target_has_a_number_in_the_newest_results() -> None:
    newest = read(page.newest())
    assert [target.what for target in targets.TARGETS if target.measured(newest) is None] == []
    assert len(target_table.rows(newest)) == len(targets.TARGETS) + 1


@pytest.mark.parametrize(
    ("least", "value", "verdict"),
    [(False, 8.0, "held"), (False, 8.01, "missed"), (True, 8.0, "held"), (True, 7.99, "missed")],
)
def test_a_target_is_held_up_to_its_bound(
    monkeypatch: pytest.MonkeyPatch, *, least: bool, value: float, verdict: str
) -> None:
    target = targets.Target("errors", ("load", "4 clients", "rate"), "", 8, "1/s", least=least)
    monkeypatch.setattr(target_table, "TARGETS", (target,))
    measured = report()
    found = measured.sections["load"].figures[1]
    changed = replace(measured.sections["load"], figures=[replace(found, value=value)])
    table = target_table.rows(replace(measured, sections={"load": changed}))
    bound = f"at {'least' if least else 'most'} 8 1/s"
    assert table[1:] == [("errors", bound, f"{value:.3g} 1/s", verdict)]


def with_jail(*names: tuple[str, float]) -> Report:
    found = [replace(series(name, median), group="Python print", to_python=median / 10) for name, median in names]
    jail = Section(title="The jail alone", missing=None, notes=[], series=found, figures=[])
    return replace(report(), sections={"jail": jail})


def test_a_floor_stands_beside_its_target_with_the_measured_multiple() -> None:
    measured = with_jail(("jail, fresh", 6), (interpreter.IN_NAMESPACES, 2), ("jail, pre-warmed", 1))
    table = target_table.rows(measured)
    assert table[0][4:] == ("floor in this run", "measured to floor", "the floor is")
    name = "fork of a warm interpreter into five namespaces"
    assert table[1:] == [
        ("jail, Python, fresh", "at most 3 ms", "6 ms", "missed", "2 ms", "3.00 x", name),
        ("the same, to bare python3 -c", "at most 0.3 x", "0.6 x", "missed", "0.2 x", "3.00 x", name),
        ("jail, Python, pre-warmed", "at most 1.3 ms", "1 ms", "held", "", "", ""),
        ("the same, to bare python3 -c", "at most 0.13 x", "0.1 x", "held", "", "", ""),
    ]
    assert "A floor is the time of the same work" in page.tables(measured)


def test_results_without_floors_have_no_columns_for_them() -> None:
    older = with_jail(("jail, fresh", 6), ("jail, pre-warmed", 1))
    assert {len(row) for row in target_table.rows(older)} == {4}
    assert "floor" not in page.tables(older)


def test_every_floor_that_is_named_belongs_to_a_target() -> None:
    places = {target.place for target in targets.TARGETS}
    assert set(targets._FLOORS) <= places
    assert all(target.floor[0] == target.place[0] for target in targets.TARGETS)


def test_the_targets_show_the_speed_of_the_machine() -> None:
    measured = with_jail(("jail, fresh", 6), (PYTHON, 14.44))
    assert target_table.speed(measured) in page.tables(measured)
    assert target_table.speed(measured).endswith("bare `python3 -c` took 14.4 ms (the jail alone).")
    assert target_table.speed(report()) == ""
