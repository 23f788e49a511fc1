"""Problem packages of sinol (sio2) and DMOJ in the terms of a judge run. What a judge run does not have is refused.

https://github.com/sio2project/sinol-make and https://docs.dmoj.ca describe them.
"""

from __future__ import annotations

import atexit
import json
import math
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rustbox_cli.archives import PACKAGE, folder_of
from rustbox_cli.problem_package import (
    cpu_limits,
    id_of,
    number,
    read_utf8,
    read_yaml,
    refuse_links_out,
    refused,
    root_of_links,
    scalar_text,
    words_of,
)
from rustbox_cli.program_input import LocalFile, language_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rustbox_cli.errors import CommandError

_UNPACKED = ExitStack()
"""Files that a package does not have as they are sent. They stay until the command ends."""
atexit.register(_UNPACKED.close)


@dataclass(frozen=True)
class Imported:
    """`stdin` and `expected` of the cases are paths. `includes`: files for programs by language."""

    cases: list[dict[str, Any]]
    checker: dict[str, Any] | None
    groups: list[dict[str, Any]] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    includes: dict[str, list[LocalFile]] = field(default_factory=dict)


def read_foreign_package(folder: Path, *, reads_groups: bool = True, root: Path | None = None) -> Imported | None:
    """Read a package. None: it is neither of both. Raises CommandError.

    `reads_groups`: with its groups and points; else each case has one point. `root`: see `read_package`.
    """
    is_sinol = (folder / "config.yml").is_file() and any((folder / name).is_dir() for name in ("in", "prog"))
    if not is_sinol and not (folder / "init.yml").is_file():
        return None
    refuse_links_out(folder, root or root_of_links(folder))
    found = _Sinol(folder).read(has_groups=reads_groups) if is_sinol else _Dmoj(folder).read()
    if reads_groups:
        return found
    cases = [{name: value for name, value in case.items() if name not in {"group", "points"}} for case in found.cases]
    return Imported(cases, found.checker, [], found.limits, found.includes)


def _comparison(name: str, **options: Any) -> dict[str, Any]:
    code = Path(__file__).with_name("foreign_checker.py").read_text(encoding="utf-8")
    program = {"kind": "program", "language": "python", "protocol": "testlib", "code": code}
    return program | {"args": [name, json.dumps(options)]}


def _not_here(path: Path, what: str) -> CommandError:
    return refused(f"{path}: Rustbox does not have {what}.")


def _mapping(value: object, path: Path, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refused(f"{path}: {name} must be a map.")
    return {str(key): inner for key, inner in value.items()}


# sinol: config.yml, prog/, in/ and out/. A test is named after its task and its group: abc1b.in is of group 1.

_SINOL_SETTINGS = {
    "title",
    "time_limit",
    "time_limits",
    "memory_limit",
    "memory_limits",
    "scores",
    "subtask_dependencies",
}
_SINOL_LIBRARY = {"extra_compilation_files", "extra_compilation_args", "extra_execution_files"}
_KIB_PER_MIB = 1024
_FAMILIES = {".h": ("c", "cpp"), ".hpp": ("cpp",)}
_SINOL_LANGUAGES = {"py": "python", "rs": "rust", "cc": "cpp"}
_WHOLE = 100
"""The points of a case: it earns a share of those of its group."""


class _Sinol:
    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "config.yml"
        self._config = {str(key): value for key, value in read_yaml(self._path).items()}
        self._task = scalar_text(self._config.get("sinol_task_id", folder.resolve().name))

    def read(self, *, has_groups: bool) -> Imported:
        self._refuse_unknown(has_groups=has_groups)
        tests = self._tests()
        cases = []
        for path, group in tests:
            answer = self._folder / "out" / f"{path.stem}.out"
            if not answer.is_file():
                raise refused(f"{answer} is not there: the model solution of prog/ makes it from {path.name}.")
            case: dict[str, Any] = {"id": id_of(path.stem), "stdin": path, "expected": answer}
            case |= {"group": str(group), "points": _WHOLE}
            if limits := self._limits(path, group):
                case["limits"] = limits
            cases.append(case)
        groups = self._groups([group for _, group in tests])
        return Imported(cases, self._checker(), groups, self._limits(), self._library())

    def _refuse_unknown(self, *, has_groups: bool) -> None:
        known = _SINOL_SETTINGS | _SINOL_LIBRARY
        names = (name for name in self._config if not name.startswith(("sinol_", "title_")))
        if unknown := sorted(name for name in names if name not in known):
            raise _not_here(self._path, f"the setting {unknown[0]}")
        if programs := sorted((self._folder / "prog").glob(f"{self._task}soc.*")):
            raise _not_here(programs[0], "interactors of sinol")
        if has_groups and self._config.get("sinol_contest_type") == "oi":
            text = "points that fall with the time of a program (sinol_contest_type: oi). Give --without-groups"
            raise _not_here(self._path, f"{text} to get one point a case")

    def _tests(self) -> list[tuple[Path, int]]:
        paths = sorted(path for path in (self._folder / "in").glob("*.in") if path.is_file())
        found = []
        for path in paths:
            name = re.fullmatch(rf"{re.escape(self._task)}([0-9]{{1,9}})(\w*)", path.stem)
            if name is None:
                raise refused(f"{path} is no test of the task {self._task}: {self._task}1a.in is one of group 1.")
            found.append((path, 0 if name[2].endswith("ocen") else int(name[1])))
        if not found:
            makers = sorted((self._folder / "prog").glob(f"{self._task}ingen.*"))
            hint = f" {makers[0].relative_to(self._folder)} makes them: run it first." if makers else ""
            raise refused(f"{self._folder / 'in'} has no tests.{hint}")
        return sorted(found, key=lambda test: (test[1], test[0].name))

    def _groups(self, of_tests: list[int]) -> list[dict[str, Any]]:
        """Return the groups: each has the least share of its tests, and examples have no points."""
        ids = sorted(set(of_tests))
        if self._config.get("sinol_contest_type") == "icpc":
            return [
                {"id": str(group), "points": int(group == ids[-1]), "requires": [str(other) for other in ids[:at]]}
                for at, group in enumerate(ids)
            ]
        scores = _mapping(self._config.get("scores"), self._path, "scores") or self._equal_scores(ids)
        requires, groups = self._requires(), []
        for group in ids:
            if group and str(group) not in scores:
                raise refused(f"{self._path}: scores has no group {group}.")
            points = number(scores.get(str(group), 0), f"{self._path}: scores")
            made: dict[str, Any] = {"id": str(group), "points": points, "aggregate": "min"}
            made |= {"requires": requires[str(group)]} if str(group) in requires else {}
            groups.append(made | ({"stop": True} if of_tests.count(group) > 1 else {}))
        return groups

    def _requires(self) -> dict[str, list[str]]:
        """Return the groups whose tests count in another one, which are groups that must pass if no test is partial."""
        of_groups = _mapping(self._config.get("subtask_dependencies"), self._path, "subtask_dependencies")
        requires = {group: words_of(others) for group, others in of_groups.items()}
        is_whole = all({*requires.get(other, ())} <= {*others} for others in requires.values() for other in others)
        if requires and (not is_whole or self._checker_sources()):
            what = "subtask_dependencies with partial scores, or on a group without those that it depends on"
            raise _not_here(self._path, what)
        return requires

    def _checker_sources(self) -> list[Path]:
        return sorted((self._folder / "prog").glob(f"{self._task}chk.*"))

    @staticmethod
    def _equal_scores(ids: list[int]) -> dict[str, int]:
        counted = [group for group in ids if group]
        scores = {str(group): _WHOLE // len(counted) for group in counted}
        if counted:
            scores[str(counted[-1])] += _WHOLE % len(counted)
        return scores

    def _limits(self, test: Path | None = None, group: int = 0) -> dict[str, float]:
        """Return the limits of all cases, or those of a test or its group."""
        found: dict[str, float] = {}
        for name, is_memory in (("time_limit", False), ("memory_limit", True)):
            value = self._config.get(name)
            if test is not None:
                of_tests = _mapping(self._config.get(f"{name}s"), self._path, f"{name}s")
                value = of_tests.get(test.stem.removeprefix(self._task), of_tests.get(str(group)))
            if value is not None:
                amount = number(value, f"{self._path}: {name}")
                found |= {"memory_mb": math.ceil(amount / _KIB_PER_MIB)} if is_memory else cpu_limits(amount / 1000)
        return found

    def _checker(self) -> dict[str, Any]:
        programs = self._checker_sources()
        if not programs:
            return _comparison("by_line")
        source = programs[0]
        if language_of(source.name) != "cpp":
            raise _not_here(source, "a checker of sinol in this language: C++ is one")
        code = read_utf8(source)
        headers = (path for path in source.parent.glob("*.h*") if f'"{path.name}"' in code)
        wrapper = Path(__file__).with_name("sio2_checker.cpp").read_text(encoding="utf-8")
        files = {"checker.h": code, **{path.name: read_utf8(path) for path in headers}}
        return {"kind": "program", "language": "cpp", "protocol": "testlib", "code": wrapper, "files": files}

    def _library(self) -> dict[str, list[LocalFile]]:
        """Return the files for programs. Sources of the program's language are compiled with it."""
        found: dict[str, list[LocalFile]] = {}
        for name in words_of(self._config.get("extra_compilation_files")):
            self._add(found, name, _FAMILIES.get(Path(name).suffix) or (language_of(name),))
        for key, names in self._of_languages("extra_execution_files"):
            for name in words_of(names):
                self._add(found, name, (_SINOL_LANGUAGES.get(key, key),))
        for key, words in self._of_languages("extra_compilation_args"):
            for word in words_of(words):
                if word not in {file.path for file in found.get(_SINOL_LANGUAGES.get(key, key), ())}:
                    raise _not_here(self._path, f"the option {word} of extra_compilation_args for all programs")
        return found

    def _of_languages(self, name: str) -> Iterable[tuple[str, Any]]:
        return _mapping(self._config.get(name), self._path, name).items()

    def _add(self, found: dict[str, list[LocalFile]], name: str, languages: Iterable[str | None]) -> None:
        source = self._folder / "prog" / name
        if Path(name).name != name or not source.is_file():
            raise refused(f"{self._path}: there is no file prog/{name}.")
        for language in languages:
            if language is not None and source not in {file.source for file in found.get(language, ())}:
                found.setdefault(language, []).append(LocalFile(source, name))


# DMOJ: init.yml. A case has the settings of its batch, and a batch those of the problem.

_DMOJ_SETTINGS = {"archive", "binary_data", "checker", "output_prefix_length", "points", "test_cases"}
_DMOJ_CASE = {"in", "out", "points", "checker", "binary_data", "output_prefix_length"}
_DMOJ_BATCH = _DMOJ_CASE | {"batched", "dependencies"}
_DMOJ_BRIDGED = {"files", "lang", "type", "feedback", "cached", "compiler_time_limit"}
_FLOATS = {"floats": "default", "floatsabs": "absolute", "floatsrel": "relative"}
_DMOJ_OPTIONS = {
    "rstripped": {"filter_new_line"},
    "sorted": {"split_on"},
    "linematches": {"point_distribution", "filler_lines_required"},
    "floats": {"precision", "error_mode"},
    "floatsabs": {"precision"},
    "floatsrel": {"precision"},
    "identical": {"pe_allowed"},
}
_DMOJ_PLAIN = {"standard", "easy", "unordered"}
_CASE_NAME = r"^(?=.*?\.{0}|{0}).*?(?:(?:^|\W)(?P<batch>\d+)[^\d\s]+)?(?P<case>\d+)[^\d\s]*$"
"""How DMOJ finds files of cases that `init.yml` does not list."""


class _Dmoj:
    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "init.yml"
        self._config = _mapping(read_yaml(self._path), self._path, "init.yml")
        self._archive: Path | None = None
        self._cases: list[dict[str, Any]] = []
        self._groups: list[dict[str, Any]] = []
        self._required: list[str] = []  # groups without points: after a failure in one, no case counts

    def read(self) -> Imported:
        self._refuse_unknown(self._config, _DMOJ_SETTINGS)
        if (name := self._config.get("archive")) is not None:
            self._archive = _UNPACKED.enter_context(
                folder_of(self._file(self._folder, scalar_text(name)), PACKAGE, strips=False)
            )
        batches = 0
        items = self._listed()
        has_gates = any(not self._points(item) for item in items)
        for item in items:
            if "batched" in item:
                batches += 1
                self._add_batch(item, batches)
            else:
                self._refuse_unknown(item, _DMOJ_CASE)
                self._add_case(item, self._add_group(f"case{len(self._cases) + 1}", item, []) if has_gates else None)
        checker = self._cases[0]["checker"]
        for case in self._cases:
            if case["checker"] == checker:
                del case["checker"]
        return Imported(self._cases, checker, self._groups)

    def _refuse_unknown(self, settings: Mapping[str, Any], known: set[str]) -> None:
        if unknown := sorted(settings.keys() - known):
            raise _not_here(self._path, f"the setting {unknown[0]}")

    def _points(self, item: Mapping[str, Any]) -> float:
        return number(item.get("points", self._config.get("points", 1)), f"{self._path}: points")

    def _listed(self) -> list[dict[str, Any]]:
        listed = self._config.get("test_cases")
        if listed is None:
            listed = self._found()
        if not isinstance(listed, list) or not listed:
            raise _not_here(self._path, "test_cases other than a list, or none with an archive")
        return [_mapping(item, self._path, "a case") for item in listed]

    def _found(self) -> list[dict[str, Any]]:
        """Return the cases of the archive whose names are usual ones."""
        files: dict[tuple[int, int], dict[str, str]] = {}
        batches = set()
        for path in sorted((self._archive or Path()).rglob("*")) if self._archive else ():
            name = path.relative_to(self._archive or path).as_posix()
            for kind in ("in", "out"):
                if path.is_file() and (found := re.match(_CASE_NAME.format(kind), name, re.IGNORECASE)):
                    batch, case = int(found["batch"] or found["case"]), int(found["case"])
                    batches |= {batch} if found["batch"] else set()
                    files.setdefault((batch, case), {})[kind] = name
        items: dict[int, dict[str, Any]] = {}
        for (batch, _), found_case in sorted(files.items()):
            if batch in batches:
                items.setdefault(batch, {"batched": []})["batched"].append(found_case)
            else:
                items[batch] = dict(found_case)
        return list(items.values())

    def _add_batch(self, batch: dict[str, Any], count: int) -> None:
        self._refuse_unknown(batch, _DMOJ_BATCH)
        listed = batch["batched"]
        if not isinstance(listed, list) or not listed:
            raise refused(f"{self._path}: batched must be a list of cases.")
        requires = [f"batch{other}" for other in words_of(batch.get("dependencies"))]
        group = self._add_group(f"batch{count}", batch, requires)
        for item in listed:
            case = _mapping(item, self._path, "a case")
            self._refuse_unknown(case, _DMOJ_CASE)
            own = {name: value for name, value in batch.items() if name in _DMOJ_CASE}
            self._add_case({**own, **case, "points": self._points(batch)}, group)

    def _add_group(self, name: str, item: dict[str, Any], requires: list[str]) -> str:
        points = self._points(item)
        group: dict[str, Any] = {"id": name, "points": points, "aggregate": "min", "stop": True}
        required = [*requires, *self._required]
        self._groups.append(group | ({"requires": required} if required else {}))
        if not points:
            self._required.append(name)
        return name

    def _add_case(self, item: dict[str, Any], group: str | None) -> None:
        settings = {**self._config, **item}
        points = self._points(item)
        case: dict[str, Any] = {"id": str(len(self._cases) + 1), "points": points}
        case |= {} if group is None else {"group": group}
        for name, key in (("stdin", "in"), ("expected", "out")):
            value = settings.get(key)
            case[name] = self._content(
                None if value is None else scalar_text(value), is_binary=bool(settings.get("binary_data"))
            )
        case["checker"] = self._checker(settings.get("checker") or "standard", points)
        self._cases.append(case)

    def _file(self, folder: Path, name: str) -> Path:
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise refused(f"{self._path}: there is no file {name}.")
        return path

    def _content(self, name: str | None, *, is_binary: bool) -> Path:
        """Return a file as a program gets it: with line breaks of Unix, and one at the end of a text."""
        path = None
        if name is not None:
            is_there = self._archive is None or (self._folder / name).is_file()
            path = self._file(self._folder if is_there else self._archive or self._folder, name)
        text = b"" if path is None else path.read_bytes()
        whole = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        whole += b"" if whole.endswith(b"\n") or not whole else b"\n"
        if path is not None and (is_binary or whole == text):
            return path
        made = Path(_UNPACKED.enter_context(TemporaryDirectory(prefix="rustbox-")), "content")
        made.write_bytes(whole)
        return made

    def _checker(self, value: object, points: float) -> dict[str, Any]:
        settings = _mapping({"name": value} if isinstance(value, str) else value, self._path, "checker")
        name, options = scalar_text(settings.get("name")), _mapping(settings.get("args"), self._path, "checker.args")
        for option in options.values():
            words_of(option)  # lists that name one another would be terabytes as text
        if name == "bridged":
            return self._bridged(options)
        if name not in _DMOJ_OPTIONS.keys() | _DMOJ_PLAIN:
            raise _not_here(self._path, f"the checker {name}")
        self._refuse_unknown(options, _DMOJ_OPTIONS.get(name, set()))
        if name == "identical":
            return {"kind": "exact"}
        if name == "unordered":
            return _comparison("sorted", split_on="whitespace")
        if name in _FLOATS:
            return _comparison("floats", **{"error_mode": _FLOATS[name], **options})
        return _comparison(name, **options, **({"points": points} if name == "linematches" else {}))

    def _bridged(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return a checker program of the package. Exit codes of the type `default` are those of testlib."""
        self._refuse_unknown(options, _DMOJ_BRIDGED)
        if (kind := scalar_text(options.get("type", "default"))) not in {"default", "testlib"}:
            raise _not_here(self._path, f"checkers of the type {kind}")
        if (language := scalar_text(options.get("lang", ""))) in {"PY2", "PYPY", "PYPY2"}:
            raise _not_here(self._path, f"the language {language}")
        paths = [self._file(self._folder, name) for name in words_of(options.get("files"))]
        sources = [path for path in paths if language_of(path.name)]
        if len(sources) != 1:
            raise refused(f"{self._path}: the checker must have one source file.")
        (source,) = sources
        program = {"kind": "program", "language": language_of(source.name), "protocol": "testlib"}
        files = {path.name: read_utf8(path) for path in paths if path != source}
        return program | {"code": read_utf8(source)} | ({"files": files} if files else {})
