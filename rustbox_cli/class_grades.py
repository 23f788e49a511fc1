"""Grades of a class: a program for each student in a folder, a CSV file with a row for each, and feedback."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.archives import PROGRAM, folder_of, is_zip
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.judge_runs import case_name, failure_text, side_by_side
from rustbox_cli.output import plain
from rustbox_cli.problem_package import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rustbox_cli.api import Api
    from rustbox_cli.judge_runs import JudgeRun

_NUMBERS = {"score", "max_score", "passed", "cases"}
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MESSAGE_CHARS = 500
_BUILT_IN = re.compile(r"(byte|line|token) \d+ differs")
"""Of the built-in checkers. Other messages of checkers are for the teacher: they may quote the expected output."""


@dataclass(frozen=True)
class Grade:
    """A row of the CSV file. `result`: passed, the outcome or verdict of the first failed case, or not_judged.

    `digest`: of the program with all that judges it. With an equal one the row is kept.
    """

    student: str
    result: str
    score: float | None = None
    max_score: float | None = None
    passed: int | None = None
    cases: int | None = None
    first_failed: str = ""
    message: str = ""
    judge_id: str = ""
    digest: str = ""

    @property
    def is_final(self) -> bool:
        return self.result not in {"not_judged", "judge_error"}


def students(folder: Path) -> dict[str, Path]:
    """Return the program of each student by name: files, folders and zip files, without hidden ones and links.

    A name is that of the file without its suffix, unless two would have it.
    """
    found = (path for path in folder.glob("[!.]*") if not path.is_symlink())
    places = sorted(path for path in found if path.is_dir() or path.is_file())
    stems = Counter(_stem(path) for path in places)
    return {path.name if stems[_stem(path)] > 1 else _stem(path): path for path in places}


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


class ClassGrades:
    """Judges a class. `judging`: the fields of a request that are the same for all."""

    def __init__(self, path: Path, feedback: Path | None, judging: Mapping[str, Any]) -> None:
        self._path, self._feedback, self._judging = path, feedback, judging
        self._before = _read(path)
        self._grades: dict[str, Grade] = {}
        self.unchanged = 0

    def judge(
        self,
        api: Api,
        programs: Mapping[str, Path],
        program_fields: Callable[[Path], dict[str, Any]],
        jobs: int,
        tell: Callable[[int, int], None],
    ) -> list[Grade]:
        """Judge the programs that changed, and write the files, also when an error or an interrupt ends it."""
        common = hashlib.sha256(json.dumps(self._judging, sort_keys=True).encode()).hexdigest()
        bodies: dict[str, Callable[[], dict[str, Any]]] = {}
        digests: dict[str, str] = {}
        if self._feedback is not None:
            self._feedback.mkdir(parents=True, exist_ok=True)
        try:
            for name, place in programs.items():
                body = _program(place, program_fields)
                if isinstance(body, str):
                    self._add(Grade(name, "not_judged", message=body))
                    continue
                text = common + json.dumps(body, sort_keys=True)
                digests[name] = hashlib.sha256(text.encode()).hexdigest()
                before = self._before.get(_cell(name))
                if before and before.digest == digests[name] and before.is_final and self._has_feedback(name):
                    self._grades[name] = before
                    self.unchanged += 1
                else:
                    bodies[name] = partial(dict, self._judging, **body)
            for name, run in side_by_side(api, bodies, jobs):
                self._add(_grade(name, run, digests[name]), run)
                tell(len(self._grades), len(programs))
        finally:
            self._write(programs)
        return [self._grades[name] for name in programs]

    def _has_feedback(self, name: str) -> bool:
        return self._feedback is None or (self._feedback / f"{name}.txt").is_file()

    def _add(self, grade: Grade, run: JudgeRun | CommandError | None = None) -> None:
        self._grades[grade.student] = grade
        if self._feedback is not None:
            path = self._feedback / f"{grade.student}.txt"
            path.unlink(missing_ok=True)  # never through a link of this name
            lines = _feedback(grade, run) if isinstance(run, dict) else [f"Not judged: {plain(grade.message)}"]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _write(self, programs: Mapping[str, Path]) -> None:
        """Write the grades of the students that are there now; those that were not judged yet keep their row."""
        made = self._path.with_name(f".{self._path.name}.new")
        with made.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Grade)])
            writer.writeheader()
            for name in programs:
                if grade := self._grades.get(name, self._before.get(_cell(name))):
                    writer.writerow({key: _cell(value) for key, value in asdict(grade).items()})
        made.replace(self._path)


def _program(place: Path, program_fields: Callable[[Path], dict[str, Any]]) -> dict[str, Any] | str:
    """Return the program of a student, or why it cannot be judged. Learning platforms pack a zip file in a folder."""
    try:
        with folder_of(place, PROGRAM) as outer:
            inner = [path for path in outer.iterdir() if path.name[0] != "."] if outer.is_dir() else []
            packed = inner[0] if len(inner) == 1 and is_zip(inner[0]) and not inner[0].is_symlink() else outer
            with folder_of(packed, PROGRAM) as folder:
                return program_fields(folder)
    except click.ClickException as error:
        if error.exit_code not in {ExitCode.REFUSED, ExitCode.USAGE}:
            raise
        return error.message
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _grade(name: str, run: JudgeRun | CommandError, digest: str) -> Grade:
    if isinstance(run, CommandError):
        return Grade(name, "not_judged", message=run.message)
    failed = _first_failed(run)
    if run["all_passed"]:
        result = "passed"
    elif run["status"] == "error":
        result = "judge_error"
    elif failed is None:
        result = "compile_error"
    else:
        result = failed["verdict"] if failed["outcome"] == "failed" else failed["outcome"]
    message = (failure_text(failed) if failed else "") or run["error_message"] or _compiler(run)
    return Grade(
        name,
        result,
        run["score"],
        run["max_score"],
        run["passed"],
        len(run["results"]),
        case_name(failed) if failed else "",
        message[:_MESSAGE_CHARS],
        run["id"],
        digest,
    )


def _first_failed(run: JudgeRun) -> dict[str, Any] | None:
    return next((case for case in run["results"] if case["outcome"] not in {"passed", "skipped"}), None)


def _compiler(run: JudgeRun) -> str:
    return ((run["compile"] or {}).get("stderr") or "").strip()


def _feedback(grade: Grade, run: JudgeRun) -> Iterator[str]:
    """Yield the lines for the student, without messages that may quote the expected output."""
    yield f"{run['passed']} of {len(run['results'])} cases passed; score {run['score']} of {run['max_score']}"
    if (failed := _first_failed(run)) is not None:
        said = failed.get("team_message") or failed["error_message"] or ""
        if not said and _BUILT_IN.fullmatch(failed["checker_message"] or ""):
            said = failed["checker_message"]
        yield f"First failed case: {plain(grade.first_failed)} ({grade.result})" + (f": {plain(said)}" if said else "")
    if text := _compiler(run):
        yield from ("", plain(text))
    yield ""
    for case in run["results"]:
        secs = "" if case["cpu_time_secs"] is None else f"{case['cpu_time_secs']:.3f} s"
        yield f"{plain(case_name(case))}  {case['outcome']}  {case['verdict'] or ''}  {secs}".rstrip()


def _cell(value: object) -> str:
    """Return a value as a cell. A spreadsheet would run a text that begins like a formula."""
    text = "" if value is None else plain(str(value))
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int | float) else text


def _read(path: Path) -> dict[str, Grade]:
    """Return the grades of an earlier call by their student's cell. Raises CommandError for another file."""
    if not path.exists():
        return {}
    names = [field.name for field in fields(Grade)]
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.DictReader(file)
        if list(reader.fieldnames or ()) != names:
            raise refused(f"{path} has other columns than {', '.join(names)}. Give another file, or delete it.")
        return {
            row["student"] or "": Grade(**{name: _value(name, row[name] or "") for name in names}) for row in reader
        }


def _value(name: str, text: str) -> Any:
    if name not in _NUMBERS:
        return text
    number = float(text) if _NUMBER.fullmatch(text) else None
    return int(number) if number is not None and number.is_integer() else number
