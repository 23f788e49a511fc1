"""Scores of problem packages: `test_group.yaml` and `testdata.yaml` as groups of a judge run."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.vocabulary import Language, Outcome
from functions.judging.body import JudgeBody, find_problems
from functions.judging.requests import to_plan
from functions.judging.score import CaseOutcome, score
from rustbox_cli.errors import CommandError
from rustbox_cli.problem_cases import CaseFolder, read_case_folder

NEW = "problem_format_version: 2023-07\ntype: scoring\n"
LEGACY = "type: scoring\n"
IGNORE = "grader_flags: ignore_sample\non_reject: continue\n"


def read(folder: Path, problem: str, cases: str, settings: dict[str, str], **options: Any) -> CaseFolder:
    """Read a package with these cases, below `data`."""
    files = {"problem.yaml": problem, **{f"data/{name}": text for name, text in settings.items()}}
    for case in cases.split():
        files |= {f"data/{case}.in": "", f"data/{case}.ans": ""}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_case_folder(folder, **options)


def scored(
    found: CaseFolder, failed: str = "", points: dict[str, float] | None = None, shares: dict[str, float] | None = None
) -> float:
    """The score of a program that fails these cases, as the service computes it; groups stop as in a runner."""
    body = JudgeBody.model_validate_json(
        json.dumps({"language": "python", "code": "x", "cases": found.cases, "groups": found.groups or None})
    )
    assert not list(find_problems(body, tuple(Language)))
    outcomes, lost = list[CaseOutcome](), set[str | None]()
    stopping = {group["id"] for group in found.groups if group.get("stop")}
    for case in found.cases:
        if case.get("group") in stopping & lost:
            outcomes.append(CaseOutcome(Outcome.SKIPPED))
        elif case["id"] in failed.split():
            lost.add(case.get("group"))
            outcomes.append(CaseOutcome(Outcome.WRONG_ANSWER))
        else:
            name = case["id"]
            outcomes.append(CaseOutcome(Outcome.PASSED, (points or {}).get(name), (shares or {}).get(name)))
    return score(to_plan(body), outcomes).score


THREE = "sample/1 secret/a/1 secret/a/2 secret/b/1 secret/b/2"
A = {"secret/a/test_group.yaml": "max_score: 30\n"}
B = {"secret/b/test_group.yaml": "max_score: 70\nscore_aggregation: sum\n"}
NEEDS = {"secret/b/test_group.yaml": "max_score: 70\nrequire_pass: [secret/a, sample]\n"}
MIN = {"secret/b/test_group.yaml": "max_score: 70\nscore_aggregation: min\n"}


@pytest.mark.parametrize(
    ("settings", "failed", "expected"),
    [
        (A | B, "", 100),
        (A | B, "sample/1", 100),
        (A | B, "secret/a/2", 70),
        (A | B, "secret/b/2", 65),
        (A | B, "secret/a/1 secret/b/1", 35),
        (A | NEEDS, "secret/a/1", 0),
        (A | NEEDS, "sample/1", 30),
        (A | NEEDS, "secret/b/1", 30),
        (A | NEEDS, "", 100),
        (A | MIN, "secret/b/1", 30),
        (A | B | {"secret/test_group.yaml": "require_pass: sample\n"}, "sample/1", 0),
        ({"secret/test_group.yaml": "score_aggregation: pass-fail\nmax_score: 10\n"}, "secret/a/1", 0),
        ({"secret/test_group.yaml": "score_aggregation: pass-fail\nmax_score: 10\n"}, "", 10),
    ],
)
def test_a_test_group_has_its_most_points_its_aggregation_and_its_requirements(
    tmp_path: Path, settings: dict[str, str], failed: str, expected: float
) -> None:
    assert scored(read(tmp_path, NEW, THREE, settings), failed) == expected


def test_cases_without_a_group_share_100_points(tmp_path: Path) -> None:
    found = read(tmp_path, NEW, "sample/1 secret/1 secret/2 secret/3 secret/4", {})
    assert (scored(found), scored(found, "secret/2 sample/1"), scored(found, points={"secret/2": 10})) == (100, 75, 85)


def test_scores_without_a_bound_are_those_of_the_validator(tmp_path: Path) -> None:
    points = {"secret/a/1": 7.5, "secret/a/2": 3, "secret/b/1": 2, "secret/b/2": 9}
    settings = {
        "secret/test_group.yaml": "max_score: unbounded\n",
        "secret/a/test_group.yaml": "score_aggregation: sum\n",
        "secret/b/test_group.yaml": "score_aggregation: min\n",
    }
    assert scored(read(tmp_path, NEW, THREE, settings), points=points) == 12.5


LEGACY_GROUPS = {
    "testdata.yaml": IGNORE,
    "secret/testdata.yaml": "on_reject: continue\nrange: 0 100\n",
    "secret/a/testdata.yaml": "accept_score: 30\ngrader_flags: min\n",
    "secret/b/testdata.yaml": "accept_score: 70\ngrader_flags: min\n",
}
BREAKING = LEGACY_GROUPS | {"secret/testdata.yaml": "grader_flags: first_error\n"}


@pytest.mark.parametrize(
    ("settings", "failed", "expected"),
    [
        (LEGACY_GROUPS, "", 100),
        (LEGACY_GROUPS, "sample/1", 100),
        (LEGACY_GROUPS, "secret/a/2", 70),
        (LEGACY_GROUPS, "secret/b/1", 30),
        (BREAKING, "secret/a/2", 0),
        (BREAKING, "secret/b/2", 30),
        # The defaults: one point a case, and nothing after the first failure.
        ({}, "", 5),
        ({}, "sample/1", 0),
        ({}, "secret/a/2", 2),
        ({}, "secret/b/1", 3),
        ({"testdata.yaml": "on_reject: continue\n"}, "secret/a/1", 4),
        ({"testdata.yaml": "on_reject: continue\ngrader_flags: avg\naccept_score: 40\n"}, "", 40),
        ({"testdata.yaml": "on_reject: continue\ngrader_flags: avg\naccept_score: 40\n"}, "secret/a/1", 35),
        ({"testdata.yaml": "on_reject: continue\ngrader_flags: avg\naccept_score: 40\n"}, "sample/1", 20),
        ({"secret/testdata.yaml": "grader_flags: min\naccept_score: 9\n"}, "secret/b/2", 1),
        ({"secret/testdata.yaml": "grader_flags: min\naccept_score: 9\n"}, "", 10),
        ({"secret/a/testdata.yaml": "grader_flags: always_accept\n"}, "secret/a/2", 4),
    ],
)
def test_a_legacy_package_is_scored_as_by_the_default_grader(
    tmp_path: Path, settings: dict[str, str], failed: str, expected: float
) -> None:
    assert scored(read(tmp_path, LEGACY, THREE, settings), failed) == expected


# As a widely used generator of test data writes them, and the examples of the reference tools have them.
GENERATED = {
    "testdata.yaml": "range: 0 100\non_reject: continue\ngrader_flags: ignore_sample\n",
    "sample/testdata.yaml": "on_reject: continue\nrange: 0 0\naccept_score: 0\ngrader_flags: first_error\n",
    "secret/testdata.yaml": "on_reject: continue\nrange: 0 100\ngrader_flags: first_error accept_if_any_accepted\n",
    "secret/a/testdata.yaml": "on_reject: break\naccept_score: 30\nrange: 0 30\ngrader_flags: min\n",
    "secret/b/testdata.yaml": "on_reject: break\naccept_score: 70\nrange: 0 70\ngrader_flags: min\n",
}
NESTED = "sample/1 secret/1-small/1 secret/2-large/x/1 secret/2-large/x/2 secret/2-large/y/1"
NESTED_SUMS = {
    "testdata.yaml": "on_reject: continue\ngrader_flags: ignore_sample\n",
    "secret/1-small/testdata.yaml": "on_reject: continue\naccept_score: 10\n",
    "secret/2-large/testdata.yaml": "on_reject: continue\naccept_score: 20\n",
    "secret/2-large/y/testdata.yaml": "on_reject: continue\naccept_score: 50\ngrader_flags: worst_error sum\n",
}
BREAKING_INSIDE = {
    "testdata.yaml": "on_reject: continue\ngrader_flags: ignore_sample\n",
    "secret/2-large/testdata.yaml": "on_reject: break\naccept_score: 20\n",
    "secret/1-small/testdata.yaml": "accept_score: 10\n",
}


@pytest.mark.parametrize(
    ("cases", "settings", "failed", "expected"),
    [
        (THREE, GENERATED, "", 100),
        (THREE, GENERATED, "sample/1", 100),
        (THREE, GENERATED, "secret/a/1", 70),
        (THREE, GENERATED, "secret/b/2", 30),
        (THREE, GENERATED, "secret/a/1 secret/b/1", 0),
        # Modes that conflict: the last one counts.
        (THREE, GENERATED | {"secret/b/testdata.yaml": "accept_score: 70\ngrader_flags: sum min\n"}, "secret/b/2", 30),
        # A range changes no score.
        (THREE, {"testdata.yaml": "on_reject: continue\nrange: 0 1\n"}, "", 5),
        (NESTED, NESTED_SUMS, "", 100),
        (NESTED, NESTED_SUMS, "secret/2-large/x/1", 80),
        (NESTED, NESTED_SUMS, "secret/2-large/y/1", 50),
        # A group inside of a group that breaks: the rest of both is not judged.
        (NESTED, BREAKING_INSIDE, "secret/2-large/x/1", 10),
        (NESTED, BREAKING_INSIDE, "secret/2-large/x/2", 30),
        (NESTED, BREAKING_INSIDE, "secret/2-large/y/1", 50),
        (NESTED, BREAKING_INSIDE, "secret/1-small/1", 60),
        # A group that is accepted whatever happens stops nothing.
        (THREE, {"secret/testdata.yaml": "grader_flags: always_accept\n"}, "secret/a/1", 3),
        (THREE, {"sample/testdata.yaml": "grader_flags: always_accept\naccept_score: 0\n"}, "sample/1", 4),
    ],
)
def test_groups_of_legacy_packages_inside_of_groups_have_the_score_of_the_default_grader(
    tmp_path: Path, cases: str, settings: dict[str, str], failed: str, expected: float
) -> None:
    assert scored(read(tmp_path, LEGACY, cases, settings), failed) == expected


def stopping(found: CaseFolder) -> set[str]:
    return {group["id"] for group in found.groups if group.get("stop")}


def test_groups_stop_whose_other_cases_cannot_change_their_score(tmp_path: Path) -> None:
    assert stopping(read(tmp_path / "sum", NEW, THREE, A | B)) == {"secret/a"}
    assert stopping(read(tmp_path / "min", NEW, THREE, A | MIN)) == {"secret/a", "secret/b"}
    assert stopping(read(tmp_path / "one case", NEW, "secret/a/1 secret/b/1", A | MIN)) == set()


def test_groups_of_a_legacy_package_stop_where_on_reject_is_break(tmp_path: Path) -> None:
    assert stopping(read(tmp_path / "generated", LEGACY, THREE, GENERATED)) == {"secret/a", "secret/b"}
    assert stopping(read(tmp_path / "continue", LEGACY, THREE, LEGACY_GROUPS)) == {"secret/a", "secret/b"}
    mixed = {"testdata.yaml": "on_reject: continue\n", "secret/b/testdata.yaml": "on_reject: break\n"}
    found = read(tmp_path / "mixed", LEGACY, THREE, mixed)
    assert stopping(found) == {"secret/b"}
    assert (scored(found, "secret/a/1"), scored(found, "secret/b/1"), scored(found, "secret/b/2")) == (4, 3, 4)


CUSTOM_SCORE = "type: scoring\nvalidation: custom score\n"
VALIDATOR = "print(1)\n"


@pytest.mark.parametrize(
    ("settings", "failed", "expected"),
    [
        ({"testdata.yaml": "on_reject: continue\n"}, "", 100 + 7.5 + 3 + 2 + 9),
        ({"testdata.yaml": "on_reject: continue\naccept_score: 4\n"}, "secret/a/1", 100 + 3 + 2 + 9),
        ({"testdata.yaml": IGNORE}, "secret/b/2", 12.5),
        (GENERATED, "", 3 + 2),
        (GENERATED, "secret/a/1", 2),
        (LEGACY_GROUPS | {"secret/b/testdata.yaml": "grader_flags: avg\non_reject: continue\n"}, "", 3 + 5.5),
    ],
)
def test_a_validator_gives_the_score_of_a_legacy_package(
    tmp_path: Path, settings: dict[str, str], failed: str, expected: float
) -> None:
    points = {"sample/1": 100.0, "secret/a/1": 7.5, "secret/a/2": 3, "secret/b/1": 2, "secret/b/2": 9}
    (tmp_path / "output_validators").mkdir()
    (tmp_path / "output_validators" / "check.py").write_text(VALIDATOR)
    found = read(tmp_path, CUSTOM_SCORE, THREE, settings)
    assert found.has_score_files
    assert scored(found, failed, points) == expected


@pytest.mark.parametrize(
    ("settings", "shares", "expected"),
    [
        (A | B, {"secret/b/1": 0.5}, 30 + 17.5 + 35),
        (A | MIN, {"secret/b/1": 0.5, "secret/b/2": 0.25}, 30 + 17.5),
        (A | NEEDS, {"secret/b/1": 0.5}, 100),  # a group that passes or fails has no such score
        (A | B, {"sample/1": 0.5}, 100),
    ],
)
def test_a_validator_may_multiply_the_score_of_a_case(
    tmp_path: Path, settings: dict[str, str], shares: dict[str, float], expected: float
) -> None:
    assert scored(read(tmp_path, NEW, THREE, settings), shares=shares) == expected


@pytest.mark.parametrize(
    ("problem", "settings", "message"),
    [
        (LEGACY, {"secret/a/testdata.yaml": "grader_flags: accept_if_any_accepted\n"}, "break after accept_if_any"),
        (LEGACY, {"testdata.yaml": "grader_flags: max\n"}, "a largest score"),
        (LEGACY, {"secret/testdata.yaml": "grading: custom\n"}, "a custom grader"),
        (LEGACY, {"secret/testdata.yaml": "reject_score: 1\n"}, "a score of rejected cases"),
        (LEGACY, {"secret/testdata.yaml": "grader_flags: avg\n"}, "an average with on_reject: break"),
        (LEGACY, {"secret/testdata.yaml": "grader_flags: min\n", "secret/a/testdata.yaml": ""}, None),
        (LEGACY, {"secret/testdata.yaml": "grader_flags: min\n", "secret/a/testdata.yaml": "x: 1"}, "the smallest"),
        (LEGACY, {"secret/a/testdata.yaml": "accept_score: .inf"}, "accept_score needs a number"),
        (LEGACY, {"secret/a/testdata.yaml": "accept_score: [1]"}, "accept_score needs a number"),
        (LEGACY, {"secret/a/testdata.yaml": "[" * 100_000}, "not valid YAML"),
        (NEW, {"secret/test_group.yaml": "score_aggregation: min\n"}, "smallest score of several groups"),
        (NEW, {"secret/a/test_group.yaml": "score_aggregation: max\n"}, "score_aggregation must be one of"),
        (NEW, {"secret/a/test_group.yaml": "max_score: many\n"}, "max_score needs a number"),
    ],
)
def test_a_score_that_a_judge_run_does_not_have_is_refused_with_a_way_out(
    tmp_path: Path, problem: str, settings: dict[str, str], message: str | None
) -> None:
    if message is None:
        read(tmp_path, problem, THREE, settings)
        return
    with pytest.raises(CommandError, match=message.replace(".", r"\.")):
        read(tmp_path, problem, THREE, settings)
    if "YAML" not in message:  # which the validator's arguments may be in
        assert not read(tmp_path, problem, THREE, settings, reads_groups=False).groups


def test_groups_that_require_each_other_are_refused_by_the_service(tmp_path: Path) -> None:
    settings = {
        "secret/a/test_group.yaml": "max_score: 1\nrequire_pass: secret/b\n",
        "secret/b/test_group.yaml": "max_score: 1\nrequire_pass: [secret/a, secret/none]\n",
    }
    found = read(tmp_path, NEW, THREE, settings)
    body: dict[str, Any] = {"language": "python", "code": "x", "cases": found.cases, "groups": found.groups}
    problems = [one.message for one in find_problems(JudgeBody.model_validate(body), tuple(Language))]
    assert problems == ["There is no group with this id in groups."]
    body["groups"][-1]["requires"] = ["secret/a"]
    problems = [one.message for one in find_problems(JudgeBody.model_validate(body), tuple(Language))]
    assert problems == ["Some groups require each other in a cycle."]


def test_long_names_that_end_alike_stay_different(tmp_path: Path) -> None:
    end = "x" * 80
    found = read(tmp_path, NEW, f"secret/a{end}/1{end} secret/b{end}/1{end} secret/ä日/1", {})
    ids = [one["id"] for one in [*found.cases, *found.groups]]
    assert len({*ids}) == 6
    assert max(map(len, ids)) == 64
    assert {case["group"] for case in found.cases} == {group["id"] for group in found.groups}


def test_a_package_that_only_passes_or_fails_has_no_groups(tmp_path: Path) -> None:
    assert not read(tmp_path, "name: x\n", THREE, LEGACY_GROUPS).groups


def test_a_draft_of_2023_07_with_testdata_yaml_has_the_groups_of_legacy_packages(tmp_path: Path) -> None:
    settings = {
        "testdata.yaml": IGNORE,
        "sample/testdata.yaml": "accept_score: 0\n",
        "secret/a/testdata.yaml": "accept_score: 30\ngrader_flags: min\n",
        "secret/b/testdata.yaml": "accept_score: 70\ngrader_flags: min\n",
    }
    found = read(tmp_path, "problem_format_version: 2023-07-draft\ntype: scoring\n", THREE, settings)
    assert (scored(found), scored(found, "secret/a/2"), found.has_score_files) == (100, 70, False)
