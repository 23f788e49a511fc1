"""Test cases in a folder: `1.in` beside `1.ans` or `1.out`, and problem packages of Kattis and ICPC contests.

https://icpc.io/problem-package-format/ describes packages: `data/sample` and `data/secret` with the cases,
`problem.yaml` with the flags of the default checker, `.timelimit` with seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from pathlib import Path

_ANSWERS = (".ans", ".out")
_MAX_CASES = 200
_ID_CHARS = 64
_NUMBER = re.compile(r"(\d+)")
_TOLERANCES = {
    "float_tolerance": ("float_abs", "float_rel"),
    "float_absolute_tolerance": ("float_abs",),
    "float_relative_tolerance": ("float_rel",),
}


@dataclass(frozen=True)
class CaseFolder:
    """The content of a folder: cases, and for a problem package its checker and its time limit."""

    cases: list[dict[str, Any]]
    checker: dict[str, Any] | None = None
    limits: dict[str, float] = field(default_factory=dict)


def read_case_folder(folder: Path, *, reads_checker: bool = True) -> CaseFolder:
    """Read the cases below a folder in natural order, samples first. Raises CommandError.

    `reads_checker`: take the checker of a problem package.
    """
    data = folder / "data" if (folder / "data").is_dir() else folder
    inputs = sorted(data.rglob("*.in"), key=lambda path: _order(path.relative_to(data)))
    if not inputs:
        raise _refused(f"There is no case (*.in) in {folder}.")
    if len(inputs) > _MAX_CASES:
        raise _refused(f"{folder} has {len(inputs)} cases; a judge run has at most {_MAX_CASES}.")
    checker = _read_problem(folder / "problem.yaml") if reads_checker else None
    return CaseFolder([_read_case(path, data) for path in inputs], checker, _read_time_limit(folder / ".timelimit"))


def _read_case(path: Path, data: Path) -> dict[str, Any]:
    answers = [path.with_suffix(suffix) for suffix in _ANSWERS if path.with_suffix(suffix).is_file()]
    case: dict[str, Any] = {
        "id": path.relative_to(data).with_suffix("").as_posix()[-_ID_CHARS:],
        "stdin": _text(path),
    }
    return case | ({"expected": _text(answers[0])} if answers else {})


def _read_problem(path: Path) -> dict[str, Any] | None:
    """Return the checker of a problem package; None without one. Raises CommandError for a checker program."""
    if not path.is_file():
        return None
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other commands start faster without it

    try:
        problem = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError:
        raise _refused(f"{path} is not valid YAML.") from None
    settings = problem if isinstance(problem, dict) else {}
    if str(settings.get("validation", "default")).split()[:1] != ["default"]:
        raise _refused(f"{path} names a checker program of its own. Give --checker to compare with a built-in one.")
    return _flags(str(settings.get("validator_flags", "")).split(), path)


def _flags(words: list[str], path: Path) -> dict[str, Any]:
    """Return the checker for the flags of the default one, which ignores case unless they say otherwise."""
    checker: dict[str, Any] = {"kind": "tokens", "case_sensitive": "case_sensitive" in words}
    for name, value in pairwise([*words, ""]):
        if name in _TOLERANCES:
            checker |= dict.fromkeys(_TOLERANCES[name], _number(value, f"{path}: {name}"))
    return checker


def _read_time_limit(path: Path) -> dict[str, float]:
    """Return the limit in `.timelimit`, if there is one."""
    if not path.is_file():
        return {}
    return {"cpu_time_secs": _number(path.read_text(), str(path))}


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _refused(f"{what} needs a number.") from None


def _order(path: Path) -> list[Any]:
    """Return a sort key: samples before secret cases, and 2 before 10."""
    return [
        [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBER.split(name)]
        for name in path.parts
    ]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise _refused(f"{path} is not UTF-8 text.") from None


def _refused(message: str) -> CommandError:
    return CommandError(message, ExitCode.REFUSED)
