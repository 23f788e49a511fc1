"""Test cases in a folder: `1.in` beside `1.ans` or `1.out`, and problem packages of Kattis and ICPC contests.

Of a package these are the cases below `data/sample` and `data/secret`. `.timelimit` has seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rustbox_cli.problems.groups import Scoring, read_scoring
from rustbox_cli.problems.package import case_args, read_package, read_utf8
from rustbox_cli.problems.settings import id_of, number, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rustbox_cli.problems.package import Package

_ANSWERS = (".ans", ".out")
_PACKAGE_FOLDERS = ("sample", "secret")
MAX_CASES = 200
"""Of a judge run that has its cases in the request."""
MAX_STORED_CASES = 1_000
"""Of a stored problem."""
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True)
class CaseFolder:
    """The content of a folder: cases, and for a problem package its checker, its time limit and its scores.

    `has_score_files`: the validator must give the score of some cases.
    """

    cases: list[dict[str, Any]]
    checker: dict[str, Any] | None = None
    limits: dict[str, float] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    stop: str | None = None
    has_score_files: bool = False


def read_case_folder(
    folder: Path,
    *,
    reads_checker: bool = True,
    reads_groups: bool = True,
    read: Callable[[Path], Any] = read_utf8,
    most_cases: int = MAX_CASES,
) -> CaseFolder:
    """Read the cases below a folder in natural order, samples first. Raises CommandError.

    `reads_checker`: take the checker of a problem package. `reads_groups`: and its groups, if it has scores.
    `read`: gives `stdin` and `expected` of a case from their paths.
    """
    has_data = (folder / "data").is_dir()
    data = folder / "data" if has_data else folder
    places = [data / name for name in _PACKAGE_FOLDERS if has_data and (data / name).is_dir()] or [data]
    found = (path for place in places for path in place.rglob("[!.]*.in") if path.is_file())
    inputs = sorted(found, key=lambda path: _order(path, data))
    if not inputs:
        raise refused(f"There is no case (*.in) in {folder}.")
    if len(inputs) > most_cases:
        most = (
            f"a judge run has at most {MAX_CASES} in its request. `rustbox problems push` stores {MAX_STORED_CASES:,}."
        )
        if most_cases == MAX_STORED_CASES:
            most = f"a problem has at most {MAX_STORED_CASES:,}."
        raise refused(f"{folder} has {len(inputs)} cases; {most}")
    package = read_package(folder, reads_checker=reads_checker)
    checker = package.checker(data, data) if package is not None and reads_checker else None
    scoring = Scoring()
    if package is not None and package.is_scoring and reads_groups:
        inputs.sort(key=lambda path: path.relative_to(data).parts)  # on_reject: break counts the first ones
        scoring = read_scoring(data, inputs, package)
    cases = [_read_case(path, data, package, checker, read) | scoring.of_case.get(path, {}) for path in inputs]
    limits = _limits(folder / ".timelimit", package)
    return CaseFolder(cases, checker, limits, scoring.groups, scoring.stop, has_score_files=scoring.has_score_files)


def _read_case(
    path: Path, data: Path, package: Package | None, checker: dict[str, Any] | None, read: Callable[[Path], Any]
) -> dict[str, Any]:
    """Read one case. It has its own checker if that is not `checker`, and no answer for an interactor."""
    answers = [path.with_suffix(suffix) for suffix in _ANSWERS if path.with_suffix(suffix).is_file()]
    case: dict[str, Any] = {
        "id": id_of(path.relative_to(data).with_suffix("").as_posix()),
        "stdin": read(path),
    }
    if answers and (checker is None or checker["kind"] != "interactor"):
        case["expected"] = read(answers[0])
    if package is not None and (args := case_args(path, data)):
        case["args"] = args
    if package is not None and checker is not None and (own := package.checker(path, data)) != checker:
        case["checker"] = own
    return case


def _limits(path: Path, package: Package | None) -> dict[str, float]:
    """Return the time limit of `problem.yaml` or `.timelimit`, if there is one."""
    secs = None if package is None else package.time_limit_secs
    if secs is None and path.is_file():
        secs = number(path.read_text(), str(path))
    return {} if secs is None else {"cpu_time_secs": secs}


def _order(path: Path, data: Path) -> list[Any]:
    """Return a sort key: samples before secret cases, and 2 before 10."""
    return [
        [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBER.split(name)]
        for name in path.relative_to(data).parts
    ]
