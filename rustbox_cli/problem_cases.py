"""Test cases in a folder: `1.in` beside `1.ans` or `1.out`, or `in/1.in` and `out/1.out`, and problem packages.

CMS also has `input/input0.txt` and `output/output0.txt`.

Of a package of Kattis and ICPC contests these are the cases below `data/sample` and `data/secret`. `.timelimit` has
seconds.
"""

from __future__ import annotations

import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError
from rustbox_cli.foreign_packages import read_foreign_package
from rustbox_cli.problem_groups import Scoring, read_scoring
from rustbox_cli.problem_package import case_args, cpu_limits, id_of, number, read_package, read_utf8, refused
from rustbox_cli.program_input import INLINE_MAX_BYTES, LocalFile, entries, languages, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rustbox_cli.api import Api
    from rustbox_cli.foreign_packages import Imported
    from rustbox_cli.problem_package import Package

_INPUTS = ("[!.]*.in", "input/input[0-9]*.txt")
_ANSWERS = (".ans", ".out")
_ANSWER_FOLDERS = MappingProxyType({"in": "out", "input": "output"})
"""Of sinol and CMS: the folder of the answers, by that of the inputs."""
_PACKAGE_FOLDERS = ("sample", "secret")
_MOST_NAMES = 10
"""In an error."""
MAX_CASES = 200
"""Of a judge run that has its cases in the request."""
MAX_STORED_CASES = 1_000
"""Of a stored problem."""
_NUMBER = re.compile(r"(\d+)")
_PACKAGE_FILES = ("problem.yaml", "problem.xml", "init.yml", "config.yml")
"""Of the known formats of packages."""
_OUTPUT_KB, _PACKAGE_OUTPUT_KB = 1024, 8192
"""The default limit of output here, and that of packages."""
_PROBLEM_FILES_BYTES = 16_384
"""Of the files for one language inside of a problem; larger ones are stored first."""
_MAIN = "is a main program that calls the submission, and the service runs the submission itself"
_UNTIMED = (
    "The package has no time limit: each case has the service's default. `rustbox problems verify` proposes one; "
    "give it as --limit cpu_time_secs=SECS."
)


@dataclass(frozen=True)
class CaseFolder:
    """The content of a folder: cases, and for a problem package its checker, its time limit and its scores.

    `has_score_files`: the validator must give the score of some cases. `includes`: files for programs by language.
    """

    cases: list[dict[str, Any]]
    checker: dict[str, Any] | None = None
    limits: dict[str, float] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    has_score_files: bool = False
    includes: Mapping[str, Sequence[LocalFile]] = field(default_factory=dict)
    mains: Mapping[str, Path] = field(default_factory=dict)
    is_package: bool = False

    def warnings(self, limits: Mapping[str, float]) -> list[str]:
        """Return sentences about parts that are not judged as its author says. `limits`: those that are given."""
        found = [f"{main} {_MAIN}: no program in {name} is judged." for name, main in sorted(self.mains.items())]
        is_untimed = self.is_package and "cpu_time_secs" not in self.limits.keys() | limits.keys()
        return found + [_UNTIMED] * is_untimed

    def limits_with(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return the limits, of which those that are given win. A CPU limit that is given brings its wall limit."""
        is_derived = "cpu_time_secs" in given and "wall_time_secs" in self.limits
        return {**self.limits, **(cpu_limits(given["cpu_time_secs"]) if is_derived else {}), **given}

    @property
    def languages(self) -> list[str] | None:
        """The languages of programs that the service can judge; None: all."""
        return sorted(languages() - self.mains.keys()) if self.mains else None

    def files(self, api: Api, language: str | None = None) -> list[dict[str, Any]]:
        """Return the files of one language as a request has them; None: those of all, as a problem has them."""
        if language is not None and language in self.mains:
            raise refused(f"{self.mains[language]} {_MAIN}.")
        if language is not None:
            return entries(api, [*self.includes.get(language, ())])
        known = {name: files for name, files in self.includes.items() if name not in self.mains}
        made = [(name, entries(api, [*files], _PROBLEM_FILES_BYTES)) for name, files in known.items()]
        return [entry | {"language": name} for name, some in made for entry in some]


def read_case_folder(
    folder: Path,
    *,
    reads_checker: bool = True,
    reads_groups: bool = True,
    needs_answers: bool = True,
    read: Callable[[Path], Any] = read_utf8,
    most_cases: int = MAX_CASES,
    root: Path | None = None,
) -> CaseFolder:
    """Read the cases below a folder in natural order, samples first. Raises CommandError.

    `reads_checker`: take the checker of a problem package. `reads_groups`: and its groups, if it has scores.
    `needs_answers`: refuse cases that every program passes, because they have no answer and no program as a checker.
    `read`: gives `stdin` and `expected` of a case from their paths. `root`: see `read_package`.
    """
    _refuse_packages(folder)
    foreign = read_foreign_package(folder, reads_groups=reads_groups, root=root)
    if foreign is not None:
        _refuse_too_many(folder, len(foreign.cases), most_cases)
        return _of_foreign(foreign, read, reads_checker=reads_checker)
    has_data = (folder / "data").is_dir()
    data = folder / "data" if has_data else folder
    places = [data / name for name in _PACKAGE_FOLDERS if has_data and (data / name).is_dir()] or [data]
    found = (path for place in places for name in _INPUTS for path in place.rglob(name) if path.is_file())
    inputs = sorted(found, key=lambda path: _order(path, data))
    if not inputs:
        raise refused(f"There is no case (*.in, or input/input0.txt as of CMS) in {folder}.")
    _refuse_too_many(folder, len(inputs), most_cases)
    package = read_package(folder, reads_checker=reads_checker, root=root)
    checker = package.checker(data, data) if package is not None and reads_checker else None
    scoring = Scoring()
    if package is not None and package.is_scoring and reads_groups:
        inputs.sort(key=lambda path: path.relative_to(data).parts)  # on_reject: break counts the first ones
        scoring = read_scoring(data, inputs, package)
    cases = [_read_case(path, data, package, checker, read) | scoring.of_case.get(path, {}) for path in inputs]
    limits = dict(package.limits) if package else _time_limit(folder / ".timelimit")
    answers = [_answer(path, data) for path, case in zip(inputs, cases, strict=True) if "expected" in case]
    if "output_kb" not in limits:
        limits |= _output_limit(answer for answer in answers if answer)
    if needs_answers:
        _refuse_unanswered(cases, checker)
    includes, mains = ({}, {}) if package is None else (package.includes, package.mains)
    is_package = package is not None
    return CaseFolder(cases, checker, limits, scoring.groups, scoring.has_score_files, includes, mains, is_package)


def _of_foreign(package: Imported, read: Callable[[Path], Any], *, reads_checker: bool) -> CaseFolder:
    cases = []
    for case in package.cases:
        made = case | {name: read(case[name]) for name in ("stdin", "expected")}
        if not reads_checker:
            made.pop("checker", None)
        cases.append(made)
    return CaseFolder(
        cases,
        package.checker if reads_checker else None,
        package.limits | _output_limit(case["expected"] for case in package.cases),
        package.groups,
        includes=package.includes,
        is_package=True,
    )


def _output_limit(answers: Iterable[Path]) -> dict[str, float]:
    """Return the limit of output for an answer above the default one."""
    largest_kb = math.ceil(max((answer.stat().st_size for answer in answers), default=0) / 1024)
    return {"output_kb": max(_PACKAGE_OUTPUT_KB, largest_kb)} if largest_kb > _OUTPUT_KB else {}


def _refuse_too_many(folder: Path, count: int, most_cases: int) -> None:
    if count <= most_cases:
        return
    most = f"a judge run has at most {MAX_CASES} in its request. `rustbox problems push` stores {MAX_STORED_CASES:,}."
    if most_cases == MAX_STORED_CASES:
        most = f"a problem has at most {MAX_STORED_CASES:,}."
    raise refused(f"{folder} has {count} cases; {most}")


def _refuse_packages(folder: Path) -> None:
    """Raise CommandError for a folder of packages: their cases together are no problem."""
    if any((folder / name).exists() for name in ("data", *_PACKAGE_FILES)):
        return
    below = (path for name in _PACKAGE_FILES for start in ("*", "*/*") for path in folder.glob(f"{start}/{name}"))
    if packages := sorted({path.parent.relative_to(folder).as_posix() for path in below}):
        more = f" and {len(packages) - _MOST_NAMES} more" if len(packages) > _MOST_NAMES else ""
        names = f"{', '.join(packages[:_MOST_NAMES])}{more}"
        raise refused(f"{folder} is no problem, it has packages in it: {names}. Give one of them.")


def _read_case(
    path: Path, data: Path, package: Package | None, checker: dict[str, Any] | None, read: Callable[[Path], Any]
) -> dict[str, Any]:
    """Read one case. It has its own checker if that is not `checker`, and no answer for an interactor."""
    case: dict[str, Any] = {
        "id": id_of(path.relative_to(data).with_suffix("").as_posix()),
        "stdin": read(path),
    }
    if (checker is None or checker["kind"] != "interactor") and (answer := _answer(path, data)) is not None:
        case["expected"] = read(answer)
    if package is not None and (args := case_args(path, data)):
        case["args"] = args
    if package is not None and checker is not None and (own := package.checker(path, data)) != checker:
        case["checker"] = own
    return case


def _answer(path: Path, data: Path) -> Path | None:
    """Return the answer of an input: beside it, or in the folder of answers beside its own."""
    places = [path]
    if path.parent != data and path.parent.name in _ANSWER_FOLDERS:
        places.append(path.parent.with_name(_ANSWER_FOLDERS[path.parent.name]) / path.name)
    answers = [place.with_suffix(suffix) for place in places for suffix in _ANSWERS]
    if path.suffix == ".txt":
        answers = [places[-1].with_name(path.name.replace("input", "output", 1))]
    return next((answer for answer in answers if answer.is_file()), None)


def _refuse_unanswered(cases: list[dict[str, Any]], checker: dict[str, Any] | None) -> None:
    """Raise CommandError if every program that ends normally passes some case."""
    names = []
    for case in cases:
        judge = case.get("checker", checker)
        if "expected" not in case and (judge is None or judge["kind"] not in {"program", "interactor"}):
            names.append(case["id"])
    if names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        raise refused(
            f"Every program passes a case without an answer (.ans or .out). {len(names)} of {len(cases)} cases have "
            f"none: {', '.join(names[:_MOST_NAMES])}{more}. Add the answers, or give --no-answers."
        )


def _time_limit(path: Path) -> dict[str, float]:
    return cpu_limits(number(path.read_text(), str(path))) if path.is_file() else {}


def _order(path: Path, data: Path) -> list[Any]:
    """Return a sort key: samples before secret cases, and 2 before 10."""
    return [
        [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBER.split(name)]
        for name in path.relative_to(data).parts
    ]


# Send the cases of a folder to the service: small texts with the problem, other contents as files by their SHA-256.

CASE_MAX_BYTES = 64 * 1024 * 1024
_INLINE_TOTAL_BYTES = 2 * 1024 * 1024
"""Of all texts together, in JSON. The body of a request has at most 5 MiB."""
_CONTENTS = ("stdin", "expected")
_UPLOADS = 4
"""At a time."""


def stored_cases(
    api: Api, cases: list[dict[str, Any]], tell: Callable[[int, int], None]
) -> tuple[list[dict[str, Any]], int]:
    """Return the cases as a problem has them, and how many files were sent. Their contents are paths before.

    `tell` is called with the files that the service has by now, and their number. Raises CommandError.
    """
    texts, paths = _split(case[name] for case in cases for name in _CONTENTS if name in case)
    sent = 0
    hashes: dict[Path, str] = {}
    with ThreadPoolExecutor(_UPLOADS) as threads:
        try:
            for path, answer in zip(paths, threads.map(lambda path: store(api, path), paths), strict=True):
                hashes[path] = answer["id"]
                sent += answer["sent"]
                tell(len(hashes), len(paths))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return [_with_contents(case, texts, hashes) for case in cases], sent


def push(
    api: Api, name: str, folder: CaseFolder, tell: Callable[[int, int], None], **given: Any
) -> tuple[dict[str, Any], int]:
    """Store a problem whose contents are paths. Returns the answer, and how many files were sent.

    `given` wins over the folder's `checker` and `limits` unless it is None. Raises CommandError.
    """
    cases, sent = stored_cases(api, folder.cases, tell)
    fields = {
        "id": name,
        "cases": cases,
        "checker": folder.checker,
        "groups": folder.groups or None,
        "limits": folder.limits or None,
        "files": folder.files(api) or None,
        "languages": folder.languages,
    } | {field: value for field, value in given.items() if value is not None}
    body = {field: value for field, value in fields.items() if value is not None}
    return dict(api.call("POST", ("problems",), body=body, repeatable=True).body), sent


def _split(contents: Iterable[Path]) -> tuple[dict[Path, str], list[Path]]:
    texts: dict[Path, str] = {}
    paths: list[Path] = []
    left_bytes = _INLINE_TOTAL_BYTES
    for path in dict.fromkeys(contents):
        size = path.stat().st_size
        if size > CASE_MAX_BYTES:
            raise refused(f"{path} has {size:,} bytes; an input or expected output has at most {CASE_MAX_BYTES:,}.")
        text = _small_text(path) if size <= INLINE_MAX_BYTES else None
        needed_bytes = len(json.dumps(text))
        if text is None or needed_bytes > left_bytes:
            paths.append(path)
        else:
            texts[path] = text
            left_bytes -= needed_bytes
    return texts, paths


def _small_text(path: Path) -> str | None:
    try:
        return read_utf8(path)
    except CommandError:  # no text
        return None


def _with_contents(case: dict[str, Any], texts: dict[Path, str], hashes: dict[Path, str]) -> dict[str, Any]:
    made = {name: value for name, value in case.items() if name not in _CONTENTS}
    for name in _CONTENTS:
        if (path := case.get(name)) is None:
            continue
        if path in texts:
            made[name] = texts[path]
        else:
            made[f"{name}_sha256"] = hashes[path]
    return made
