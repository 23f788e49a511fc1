"""Scores of problem packages of the type `scoring`: their groups and points in the terms of a judge run.

`test_group.yaml` of the formats 2023-07 and later says the score of a group. `testdata.yaml` of `legacy` packages says
how a grader makes the score of a group from those of its cases and its groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rustbox_cli.problem_package import id_of, number, read_yaml, refused, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rustbox_cli.problem_package import Package

MOST_POINTS = 1_000_000
"""Of a case without a bound: the service has no higher one."""
_AGGREGATES = {"pass-fail": "pass_fail", "sum": "sum", "min": "min"}
_INSTEAD = "Give --without-groups to get one point a case."


@dataclass
class Scoring:
    """`groups` as the service takes them. `of_case`: group and points of a case, by its input."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    of_case: dict[Path, dict[str, Any]] = field(default_factory=dict)

    @property
    def has_score_files(self) -> bool:
        """Whether the score of a case is that of the validator's file alone."""
        return any(case["points"] == MOST_POINTS for case in self.of_case.values())

    def add(
        self,
        name: str,
        cases: Sequence[Path],
        aggregate: str,
        *,
        points: float | None,
        each: float,
        requires: Iterable[str],
        stops: bool,
    ) -> None:
        """Add a group of cases with `each` points. `stops`: skip the cases after its first failure."""
        group: dict[str, Any] = {"id": name, "aggregate": aggregate, "points": points, "requires": [*requires]}
        group["stop"] = True if stops and len(cases) > 1 else None
        self.groups.append({key: value for key, value in group.items() if value is not None and value != []})
        self.of_case |= {case: {"group": name, "points": each} for case in cases}


def read_scoring(data: Path, inputs: Sequence[Path], package: Package) -> Scoring:
    """Read the groups of a scoring package. Raises CommandError for a score that a judge run does not have."""
    # Early drafts of 2023-07 have the groups of legacy packages.
    has_graders = any(data.rglob("testdata.yaml")) and not any(data.rglob("test_group.yaml"))
    if package.is_legacy or has_graders:
        return _LegacyReader(data, inputs, has_score_files=package.has_score_files).scoring()
    return _read_test_groups(data, inputs)


def _read_test_groups(data: Path, inputs: Sequence[Path]) -> Scoring:
    top = _Settings(data / "secret")
    has_groups = any(case.parent.parent != data for case in inputs)
    is_one_group = top.aggregate("sum") == "pass_fail" or not has_groups
    if top.aggregate("sum") == "min" and not is_one_group:
        raise refused(f"{top.path}: Rustbox does not support the smallest score of several groups. {_INSTEAD}")
    members: dict[str, list[Path]] = {}
    for case in inputs:
        parts = case.relative_to(data).parts
        members.setdefault(parts[0] if is_one_group or parts[0] == "sample" else "/".join(parts[:2]), []).append(case)
    scoring = Scoring()
    names = {name: id_of(name) for name in members}
    for name, cases in members.items():
        if name == "sample":
            scoring.add(name, cases, "pass_fail", points=0, each=0, requires=(), stops=False)
            continue
        own = top if name == "secret" else _Settings(data / name)
        aggregate = own.aggregate("sum" if own is top else "pass-fail")
        stops = aggregate != "sum"  # the other cases cannot change its score
        most = own.most_points(100 if own is top else "unbounded")
        requires = dict.fromkeys([*words_of(top.values.get("require_pass")), *words_of(own.values.get("require_pass"))])
        ids = [names.get(required, required) for required in requires]
        if most is None:
            points = None if aggregate == "sum" else MOST_POINTS
            scoring.add(names[name], cases, aggregate, points=points, each=MOST_POINTS, requires=ids, stops=stops)
        else:
            each = most / len(cases) if aggregate == "sum" else most
            scoring.add(names[name], cases, aggregate, points=most, each=each, requires=ids, stops=stops)
    return scoring


class _Settings:
    """`test_group.yaml` of a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test_group.yaml"
        self.values = read_yaml(self.path)

    def aggregate(self, default: str) -> str:
        name = self.values.get("score_aggregation", default)
        if name not in _AGGREGATES:
            raise refused(f"{self.path}: score_aggregation must be one of {', '.join(_AGGREGATES)}. {_INSTEAD}")
        return _AGGREGATES[name]

    def most_points(self, default: float | str) -> float | None:
        """None: unbounded. The validator gives the score then."""
        most = self.values.get("max_score", default)
        return None if most == "unbounded" else number(most, f"{self.path}: max_score")


@dataclass
class _Folder:
    """One folder of a legacy package. `settings`: of the nearest `testdata.yaml`."""

    path: Path
    settings: dict[str, Any]
    cases: list[Path]
    folders: list[_Folder]

    @cached_property
    def flags(self) -> list[str]:
        return words_of(self.settings.get("grader_flags"))

    @property
    def mode(self) -> str:
        return next((flag for flag in reversed(self.flags) if flag in {"sum", "avg", "min", "max"}), "sum")

    @property
    def breaks(self) -> bool:
        return bool(self.settings.get("on_reject", "break") == "break")

    @property
    def may_reject(self) -> bool:
        return not {"always_accept", "accept_if_any_accepted"} & {*self.flags}

    @property
    def accept_score(self) -> float:
        return self._score("accept_score", 1)

    def check(self) -> None:
        """Raise CommandError for a score that a judge run does not have."""
        is_broken_average = self.mode == "avg" and self.breaks and len(self.cases) + len(self.folders) > 1
        for is_there, what in (
            (self.mode == "max", "a largest score"),
            (self.settings.get("grading", "default") != "default", "a custom grader"),
            (self._score("reject_score", 0), "a score of rejected cases"),
            (is_broken_average, "an average with on_reject: break"),
        ):
            if is_there:
                raise refused(f"{self.path}: Rustbox does not support {what}. {_INSTEAD}")

    def all_cases(self) -> list[Path]:
        return [*self.cases, *(case for folder in self.folders for case in folder.all_cases())]

    def all_folders(self) -> list[_Folder]:
        return [self, *(inner for folder in self.folders for inner in folder.all_folders())]

    def _score(self, name: str, default: float) -> float:
        return number(self.settings.get(name, default), f"{self.path}: {name}")


class _LegacyReader:
    def __init__(self, data: Path, inputs: Sequence[Path], *, has_score_files: bool) -> None:
        self._data, self._inputs, self._has_score_files = data, inputs, has_score_files
        self._scoring = Scoring()

    def scoring(self) -> Scoring:
        root = self._folder(self._data, {})
        root.check()
        samples = [folder for folder in root.folders if folder.path.name == "sample"]
        others = [folder for folder in root.folders if folder not in samples]
        ignores_sample = "ignore_sample" in root.flags
        share = len(others if ignores_sample else root.folders) if root.mode == "avg" else 1
        requires: list[str] = []
        self._check_order(root, [*samples, *others])
        for folder in [*samples, *others]:
            scale = 0 if folder in samples and ignores_sample else 1 / share
            rejecting = self._add(folder, scale, requires)
            requires = [*requires, *rejecting] if root.breaks else requires
        return self._scoring

    def _check_order(self, parent: _Folder, folders: list[_Folder]) -> None:
        """Raise CommandError if a group that counts by any accepted case decides whether others are judged."""
        if parent.breaks and any("accept_if_any_accepted" in folder.flags for folder in folders[:-1]):
            text = "Rustbox does not support on_reject: break after accept_if_any_accepted"
            raise refused(f"{parent.path}: {text}. {_INSTEAD}")

    def _folder(self, path: Path, inherited: dict[str, Any]) -> _Folder:
        settings = read_yaml(path / "testdata.yaml") or inherited
        below = [case.relative_to(path) for case in self._inputs if case.is_relative_to(path)]
        names = sorted({case.parts[0] for case in below if len(case.parts) > 1})
        cases = [path / case for case in below if len(case.parts) == 1]
        return _Folder(path, settings, cases, [self._folder(path / name, settings) for name in names])

    def _add(self, folder: _Folder, scale: float, requires: list[str]) -> list[str]:
        """Add the groups of a folder. Returns the ids of those that may reject a program."""
        folder.check()
        name = id_of(folder.path.relative_to(self._data).as_posix())
        each = MOST_POINTS if self._has_score_files else folder.accept_score
        if folder.mode == "min":
            inner = folder.all_folders()
            if any(one.mode != "min" or one.accept_score != folder.accept_score for one in inner if one.cases):
                raise refused(f"{folder.path}: Rustbox does not support the smallest of different scores. {_INSTEAD}")
            least, cases = scale * each, folder.all_cases()
            self._scoring.add(name, cases, "min", points=least, each=each, requires=requires, stops=folder.breaks)
            return [name] if folder.may_reject else []
        rejecting: list[str] = []
        parts = len(folder.cases) + len(folder.folders)
        scale = scale / parts if folder.mode == "avg" else scale
        if folder.cases:
            # The service adds the points of cases itself. It takes no group with more than MOST_POINTS.
            points = None if scale == 1 else scale * each * len(folder.cases)
            stops = folder.breaks
            self._scoring.add(name, folder.cases, "sum", points=points, each=each, requires=requires, stops=stops)
            rejecting.append(name)
        self._check_order(folder, folder.folders)
        for inside in folder.folders:
            before = [*requires, *rejecting] if folder.breaks else requires
            rejecting += self._add(inside, scale, before)
        return rejecting if folder.may_reject else []
