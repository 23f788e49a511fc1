"""The example submissions of a problem package, and what is expected of them.

`legacy` packages say it by the folder, DOMjudge also by `@EXPECTED_RESULTS@` in a source. Packages of 2023-07 and
later say it by the folder and `submissions.yaml`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.problem_package import number, read_yaml, refused, words_of
from rustbox_cli.program_input import language_of, main_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rustbox_cli.judge_runs import JudgeRun

_LEGACY = {
    "accepted": "AC",
    "wrong_answer": "WA",
    "time_limit_exceeded": "TLE",
    "run_time_error": "RTE",
    "partially_accepted": "partial",
}
_TAG_NAMES = _LEGACY | {
    # Of DOMjudge, with hyphens as underscores.
    "correct": "AC",
    "no_output": "WA",
    "timelimit": "TLE",
    "run_error": "RTE",
    "memory_limit": "RTE",
    "output_limit": "RTE",
    "compiler_error": "CE",
}
_FOLDERS: dict[str, dict[str, Any]] = {
    "accepted": {"permitted": ["AC"]},
    "rejected": {"required": ["RTE", "TLE", "WA"]},
    "wrong_answer": {"permitted": ["AC", "WA"], "required": ["WA"]},
    "time_limit_exceeded": {"permitted": ["AC", "TLE"], "required": ["TLE"]},
    "run_time_error": {"permitted": ["AC", "RTE"], "required": ["RTE"]},
    "brute_force": {"permitted": ["AC", "RTE", "TLE"], "required": ["RTE", "TLE"]},
}
_FAILURES = frozenset({"RTE", "TLE", "WA"})
_TAG = re.compile(rb"@EXPECTED_(RESULTS|SCORE)@: *([^\r\n]{1,500})")
_NO_RULE = "nothing says what is expected of it"
_SCORE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_TAG_BYTES = 1_048_576
_KEYS = {"language", "entrypoint", "authors", "model_solution", "use_for_time_limit"}
_MOST_PATTERNS = 1_000
"""That one pattern of submissions.yaml with braces stands for."""


@dataclass(frozen=True)
class Outcomes:
    """A judge run in the words of packages. `of_case`: AC, WA, TLE or RTE; CE alone if it does not compile."""

    of_case: Mapping[str, str]
    score: float
    max_score: float
    messages: tuple[str, ...]

    @property
    def final(self) -> str:
        """The first verdict that is not AC. Cases that were skipped have none."""
        return next((verdict for verdict in self.of_case.values() if verdict != "AC"), "AC")

    @property
    def is_partial(self) -> bool:
        return self.score > 0 and (self.score < self.max_score or self.final != "AC")


def outcomes_of(run: JudgeRun, limit_secs: float | None) -> Outcomes:
    """Return the outcomes. A case that needed more than `limit_secs` of CPU time is TLE, also if it was allowed."""
    if run["first_failed"] is None and not run["all_passed"]:
        return Outcomes({"": "CE"}, 0, run["max_score"], ())
    cases = [case for case in run["results"] if case["outcome"] != "skipped"]
    of_case = {case["id"]: _verdict(case, limit_secs) for case in cases}
    messages = tuple(case["checker_message"] or "" for case in cases)
    return Outcomes(of_case, run["score"], run["max_score"], messages)


def _verdict(case: Mapping[str, Any], limit_secs: float | None) -> str:
    if case["outcome"] == "wrong_answer" and case["verdict"] != "AC":
        return "WA"  # an interactor rejected it, whatever the program did then
    if case["verdict"] == "TLE" or (limit_secs is not None and (case["cpu_time_secs"] or 0) > limit_secs):
        return "TLE"
    return {"passed": "AC", "partial": "AC", "wrong_answer": "WA"}.get(case["outcome"], "RTE")


@dataclass(frozen=True)
class Rule:
    """One demand. `final`: verdicts of the submission; `permitted`: of every case below `cases`; `required`: of one."""

    final: frozenset[str] = frozenset()
    permitted: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    score: tuple[float, float] | None = None
    message: str = ""
    cases: str = ""

    @property
    def needs_all_cases(self) -> bool:
        """Whether the case that decides the verdict does not decide the rule."""
        failures = (self.permitted or _FAILURES) - {"AC"}
        return bool(self.cases or self.score or self.message or (self.required and not failures <= self.required))

    def differences(self, outcomes: Outcomes) -> Iterator[str]:
        """Yield a line for each part of the rule that does not hold."""
        final = "partial" if outcomes.is_partial and "partial" in self.final else outcomes.final
        if self.final and final not in self.final:
            yield f"{final} is not {_either(self.final)}"
        verdicts = {
            case: verdict for case, verdict in outcomes.of_case.items() if not self.cases or _matches(self.cases, case)
        }
        wrong = {case: verdict for case, verdict in verdicts.items() if verdict not in self.permitted}
        if self.permitted and wrong:
            case, verdict = next(iter(wrong.items()))
            yield f"{verdict} of {case or 'the compiler'} is not {_either(self.permitted)}"
        if self.required and self.required.isdisjoint(verdicts.values()):
            yield f"no case{f' of {self.cases}' if self.cases else ''} is {_either(self.required)}"
        if self.score is not None and not self.score[0] <= outcomes.score <= self.score[1]:
            yield f"score {outcomes.score:g} is not {' to '.join(f'{each:g}' for each in dict.fromkeys(self.score))}"
        if not any(self.message in message for message in outcomes.messages):
            yield f"no message of the validator has {self.message!r}" if self.message else ""


@dataclass(frozen=True)
class Submission:
    """`path`: below `submissions/`. `reason`: why it is not judged; its language or its main file is not known."""

    path: str
    place: Path
    main: Path | None
    reason: str
    rules: tuple[Rule, ...]

    @property
    def expected(self) -> str:
        """The verdicts of all cases, for people."""
        names = [_either(rule.final or rule.required or rule.permitted) for rule in self.rules if not rule.cases]
        return ", ".join(dict.fromkeys(name for name in names if name)) or "-"

    @property
    def is_accepted(self) -> bool:
        """Whether it must be right everywhere, so that its time is a lower bound of the limit."""
        return any((rule.final or rule.permitted) == {"AC"} and not rule.cases for rule in self.rules)

    @property
    def is_too_slow(self) -> bool:
        return any(rule.final == {"TLE"} or rule.required == {"TLE"} for rule in self.rules)

    def differences(self, outcomes: Outcomes) -> list[str]:
        """Return a line for each demand that does not hold."""
        return [line for rule in self.rules for line in rule.differences(outcomes) if line]


def read_submissions(package: Path, *, is_legacy: bool) -> list[Submission]:
    """Read the submissions of a package in the order of their names. Raises CommandError."""
    root = package / "submissions"
    settings = read_yaml(root / "submissions.yaml")
    defaults = {} if is_legacy else _FOLDERS
    settings |= {name: {**rule, **_map(settings.get(name))} for name, rule in defaults.items()}
    found = []
    for folder in sorted(path for path in root.glob("[!.]*") if path.is_dir()):
        for place in sorted(folder.glob("[!.]*")):
            path = place.relative_to(root).as_posix()
            own = [_map(value) for pattern, value in settings.items() if _matches(str(pattern), path)]
            rules = [rule for values in own for rule in _rules(values, "")]
            if not rules:
                rules = _legacy_rules(folder.name, place)
            main, reason = _main(place, own)
            found.append(Submission(path, place, main, reason or ("" if rules else _NO_RULE), tuple(rules)))
    return found


def _main(place: Path, settings: list[dict[str, Any]]) -> tuple[Path | None, str]:
    """Return the main file, or why there is none."""
    if place.is_file():
        return (place, "") if language_of(place.name) else (None, "its language is not known here")
    entry = next((" ".join(words_of(each["entrypoint"])) for each in settings if "entrypoint" in each), None)
    try:
        return main_file(place, entry if entry and (place / entry).is_file() else None), ""
    except click.UsageError as error:
        return None, error.message.replace(str(place), place.name).split(". ")[0]


def _legacy_rules(folder: str, place: Path) -> list[Rule]:
    """Return the rule of a folder. DOMjudge reads the sources in other folders than the official ones."""
    if folder in _LEGACY:
        return [Rule(final=frozenset({_LEGACY[folder]}))]
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    for path in files:
        with path.open("rb") as file:
            found = dict(_TAG.findall(file.read(_TAG_BYTES)))
        final, score = frozenset[str](), None
        for text in (value.decode(errors="replace").strip() for value in found.values()):
            if _SCORE.fullmatch(text):
                score = (float(text), float(text))
            else:
                names = {name.strip().lower().replace("-", "_") for name in text.split(",")}
                final = frozenset(_TAG_NAMES[name] for name in names if name in _TAG_NAMES)
        if found:
            return [Rule(final=final, score=score)] if final or score else []
    names = {"WA", "TLE", "RTE"} if folder == "rejected" else {_TAG_NAMES.get(folder.replace("-", "_"), "")} - {""}
    return [Rule(final=frozenset(names))] if names else []


def _rules(values: dict[str, Any], cases: str) -> Iterator[Rule]:
    """Yield the rules of a map of submissions.yaml, also those of its groups of cases."""
    score = values.get("score", [])
    scores = score if isinstance(score, list) else [score]
    bounds = [number(each, "score of submissions.yaml") for each in scores]
    rule = Rule(
        permitted=frozenset(words_of(values.get("permitted"))),
        required=frozenset(words_of(values.get("required"))),
        score=None if cases or not bounds else (bounds[0], bounds[-1]),
        message=" ".join(words_of(values.get("message"))),
        cases=cases,
    )
    if rule != Rule(cases=cases):
        yield rule
    for name, inner in values.items():
        if isinstance(inner, dict) and not cases and name not in _KEYS:
            yield from _rules(inner, str(name))


def _map(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern matches a path or a folder above. `*` is for no slash; `{a, b}` for either."""
    parts = path.split("/")
    for each in _expanded(pattern):
        wanted = each.replace("[", "[[]").split("/")
        if len(wanted) <= len(parts) and all(map(fnmatchcase, parts, wanted)):
            return True
    return False


def _expanded(pattern: str) -> Iterator[str]:
    parts = re.split(r"\{([^{}]*)\}", pattern)  # every second one is that of braces
    choices = [[word.strip() for word in part.split(",")] if place % 2 else [part] for place, part in enumerate(parts)]
    if math.prod(map(len, choices)) > _MOST_PATTERNS:
        raise refused(f"A pattern of submissions.yaml stands for more than {_MOST_PATTERNS:,} names.")
    return ("".join(chosen) for chosen in product(*choices))


def _either(verdicts: frozenset[str]) -> str:
    return " or ".join(sorted(verdicts))


# The time limit that a package's own submissions ask for.


@dataclass(frozen=True)
class TimeRules:
    """How a limit follows from the slowest accepted submission. `resolution_secs`: the limit is a multiple of it."""

    multiplier: float
    margin: float
    resolution_secs: float

    def limit_secs(self, slowest_secs: float) -> float:
        return max(1, math.ceil(slowest_secs * self.multiplier / self.resolution_secs - 1e-9)) * self.resolution_secs


def read_time_rules(package: Path, *, is_legacy: bool) -> TimeRules:
    """Read the factors of `problem.yaml`. Raises CommandError."""
    limits = _map(read_yaml(package / "problem.yaml").get("limits"))
    if is_legacy:
        return TimeRules(_factor(limits, "time_multiplier", 5), _factor(limits, "time_safety_margin", 2), 1)
    factors = _map(limits.get("time_multipliers"))
    multiplier, margin = _factor(factors, "ac_to_time_limit", 2), _factor(factors, "time_limit_to_tle", 1.5)
    return TimeRules(multiplier, margin, _factor(limits, "time_resolution", 1))


def _factor(values: dict[str, Any], name: str, default: float) -> float:
    found = number(values.get(name, default), f"problem.yaml: {name}")
    if found <= 0:
        raise refused(f"problem.yaml: {name} must be above 0.")
    return found
