"""What packages expect of their submissions: folders, tags of DOMjudge, submissions.yaml; and the time limit."""

from pathlib import Path

import pytest

from rustbox_cli.errors import CommandError
from rustbox_cli.package_submissions import (
    Outcomes,
    Submission,
    TimeRules,
    outcomes_of,
    read_submissions,
    read_time_rules,
)
from tests.adapters.cli.invocation import write
from tests.adapters.cli.judge_replies import case, final


def outcomes(*verdicts: str, score: float = 0, message: str = "") -> Outcomes:
    names = ("sample/1", "secret/1-easy", "secret/2-hard")
    return Outcomes(dict(zip(names, verdicts, strict=False)), score, 100, (message,))


def read(folder: Path, files: dict[str, str], *, is_legacy: bool = True) -> dict[str, Submission]:
    write(folder / "submissions", files)
    return {one.path: one for one in read_submissions(folder, is_legacy=is_legacy)}


@pytest.mark.parametrize(
    ("folder", "right", "wrong"),
    [
        ("accepted", ("AC", "AC"), ("AC", "WA")),
        ("wrong_answer", ("AC", "WA", "TLE"), ("AC", "TLE", "WA")),
        ("time_limit_exceeded", ("TLE",), ("RTE",)),
        ("run_time_error", ("AC", "RTE"), ("AC", "AC")),
        ("run-error", ("RTE",), ("AC",)),
        ("compiler_error", ("CE",), ("RTE",)),
        ("no_output", ("WA",), ("AC",)),
        ("rejected", ("TLE",), ("AC",)),
    ],
)
def test_a_folder_of_a_legacy_package_is_the_first_verdict_that_is_not_ac(
    tmp_path: Path, folder: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    one = read(tmp_path, {f"{folder}/x.py": ""})[f"{folder}/x.py"]
    assert one.differences(outcomes(*right)) == []
    assert len(one.differences(outcomes(*wrong))) == 1


@pytest.mark.parametrize(
    ("folder", "right", "wrong"),
    [
        ("wrong_answer", ("WA", "AC"), ("WA", "TLE")),
        ("time_limit_exceeded", ("AC", "TLE"), ("TLE", "WA")),
        ("run_time_error", ("RTE",), ("RTE", "WA")),
        ("rejected", ("TLE", "WA"), ("AC", "AC")),
        ("brute_force", ("RTE", "TLE"), ("TLE", "WA")),
        ("accepted", ("AC",), ("CE",)),
    ],
)
def test_a_folder_of_later_packages_holds_for_every_case(
    tmp_path: Path, folder: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    one = read(tmp_path, {f"{folder}/x.py": ""}, is_legacy=False)[f"{folder}/x.py"]
    assert one.differences(outcomes(*right)) == []
    assert one.differences(outcomes(*wrong)) != []


def test_partially_accepted_needs_some_points_and_not_all(tmp_path: Path) -> None:
    one = read(tmp_path, {"partially_accepted/x.py": ""})["partially_accepted/x.py"]
    assert one.differences(outcomes("AC", "WA", score=40)) == []
    assert one.differences(outcomes("WA", score=0)) == ["WA is not partial"]
    assert one.differences(outcomes("AC", score=100)) == ["AC is not partial"]


def test_tags_of_domjudge_hold_outside_of_the_official_folders(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "mixed/a.py": "'''\n@EXPECTED_RESULTS@: TIMELIMIT, wrong_answer\n'''",
            "mixed/b/main.py": "# none",
            "mixed/b/util.py": "# @EXPECTED_SCORE@: 12.5",
            "mixed/f.py": "# @EXPECTED_RESULTS@: TIMELIMIT\n# @EXPECTED_SCORE@: 25",
            "mixed/e.py": "# @EXPECTED_SCORE@: CORRECT",
            "mixed/c.py": "# @EXPECTED_RESULTS@: CHECK-MANUALLY",
            "accepted/d.py": "# @EXPECTED_RESULTS@: RUN-ERROR",
        },
    )
    assert found["mixed/a.py"].expected == "TLE or WA"
    assert found["mixed/b"].differences(outcomes("WA", score=12.5)) == []
    assert found["mixed/b"].differences(outcomes("AC", score=12)) == ["score 12 is not 12.5"]
    assert found["mixed/f.py"].differences(outcomes("TLE", score=25)) == []
    assert found["mixed/f.py"].differences(outcomes("TLE", score=20)) == ["score 20 is not 25"]
    assert found["mixed/e.py"].expected == "AC"
    assert found["mixed/c.py"].reason == "nothing says what is expected of it"
    assert found["accepted/d.py"].expected == "AC"


YAML = """\
time_limit_exceeded/{easy,other}.py:
  sample:
    permitted: [AC]
  secret/*-easy: {permitted: [AC]}
  secret/*-hard: {permitted: [AC, TLE], required: [TLE]}
mine: {permitted: [AC, WA], score: [10, 20], message: too small}
accepted: {permitted: [AC, TLE]}
accepted/app: {entrypoint: start.py, language: python3}
"""


def test_submissions_yaml_adds_rules_for_patterns_and_groups_and_replaces_those_of_folders(tmp_path: Path) -> None:
    sources = [
        "time_limit_exceeded/easy.py",
        "mine/x.py",
        "accepted/y.py",
        "accepted/app/start.py",
        "accepted/app/u.py",
    ]
    found = read(tmp_path, {"submissions.yaml": YAML, **dict.fromkeys(sources, "")}, is_legacy=False)
    slow = found["time_limit_exceeded/easy.py"]
    assert slow.differences(outcomes("AC", "AC", "TLE")) == []
    assert slow.differences(outcomes("AC", "TLE", "TLE")) == ["TLE of secret/1-easy is not AC"]
    assert slow.differences(outcomes("AC", "AC", "AC")) == ["no case of secret/*-hard is TLE", "no case is TLE"]
    mine = found["mine/x.py"]
    assert mine.differences(outcomes("WA", score=15, message="4 is too small")) == []
    assert len(mine.differences(outcomes("WA", score=21, message="no"))) == 2
    assert found["accepted/y.py"].differences(outcomes("TLE")) == []
    assert (slow.is_too_slow, found["accepted/y.py"].is_accepted, slow.is_accepted) == (True, False, False)
    assert found["accepted/app"].main == tmp_path / "submissions/accepted/app/start.py"


def test_a_star_stands_for_no_slash_and_brackets_for_themselves(tmp_path: Path) -> None:
    yaml = "'*/nested.py': {required: [WA]}\n'x/[a]*.py': {required: [RTE]}\n"
    files = {"submissions.yaml": yaml, "x/dir/nested.py": "", "x/[a]b.py": "", "x/ab.py": "", "y/nested.py": ""}
    found = read(tmp_path, files, is_legacy=False)
    assert {path: one.expected for path, one in found.items()} == {
        "x/[a]b.py": "RTE",
        "x/ab.py": "-",
        "x/dir": "-",
        "y/nested.py": "WA",
    }


def test_spaces_around_the_words_of_a_brace_count_as_none(tmp_path: Path) -> None:
    yaml = "'x/{ 4 }{ 2 , 3 }.py': {required: [WA]}\n"
    found = read(tmp_path, {"submissions.yaml": yaml, "x/42.py": "", "x/43.py": "", "x/4.py": ""}, is_legacy=False)
    assert {path: one.expected for path, one in found.items()} == {"x/4.py": "-", "x/42.py": "WA", "x/43.py": "WA"}


def test_a_pattern_that_stands_for_millions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="more than 1,000 names"):
        read(tmp_path, {"submissions.yaml": f"'{'{a,b}' * 30}': {{permitted: [AC]}}", "x/y.py": ""}, is_legacy=False)


def test_what_cannot_be_judged_says_why(tmp_path: Path) -> None:
    found = read(tmp_path, {"accepted/x.kt": "", "accepted/two/a.py": "", "accepted/two/b.py": "", ".git/x.py": ""})
    assert {one.path: one.reason for one in found.values()} == {
        "accepted/two": "two has a.py, b.py",
        "accepted/x.kt": "its language is not known here",
    }


def test_the_verdicts_of_a_judge_run_in_the_words_of_packages() -> None:
    run = final(
        case(0, id="a"),
        case(1, "partial", id="b"),
        case(2, "wrong_answer", id="c"),
        case(3, "failed", "TLE", id="d"),
        case(4, "failed", "MLE", id="e"),
        case(5, "skipped", None, id="f"),
        case(6, id="g", cpu_time_secs=1.5),
        case(7, "wrong_answer", "TLE", id="h"),
    ).body
    wanted = {"a": "AC", "b": "AC", "c": "WA", "d": "TLE", "e": "RTE", "g": "TLE", "h": "WA"}
    assert dict(outcomes_of(run, 1).of_case) == wanted
    assert outcomes_of(run, 2).of_case["g"] == "AC"
    assert outcomes_of(final(case(0, "skipped", None)).body, 1).final == "CE"


@pytest.mark.parametrize(
    ("yaml", "is_legacy", "rules"),
    [
        ("name: x", True, TimeRules(5, 2, 1)),
        ("limits: {time_multiplier: 3, time_safety_margin: 4}", True, TimeRules(3, 4, 1)),
        ("name: x", False, TimeRules(2, 1.5, 1)),
        ("limits: {time_multipliers: {ac_to_time_limit: 4}, time_resolution: 0.1}", False, TimeRules(4, 1.5, 0.1)),
    ],
)
def test_the_factors_of_the_time_limit(tmp_path: Path, yaml: str, rules: TimeRules, *, is_legacy: bool) -> None:
    (tmp_path / "problem.yaml").write_text(yaml)
    assert read_time_rules(tmp_path, is_legacy=is_legacy) == rules


def test_a_proposed_limit_is_a_multiple_of_the_resolution() -> None:
    assert TimeRules(5, 2, 1).limit_secs(0.0) == 1
    assert TimeRules(5, 2, 1).limit_secs(0.21) == 2
    assert TimeRules(2, 2, 0.1).limit_secs(0.15) == pytest.approx(0.3)


@pytest.mark.parametrize("value", ["0", "-1", "much", ".inf"])
def test_a_wrong_factor_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "problem.yaml").write_text(f"limits: {{time_multiplier: {value}}}")
    with pytest.raises(CommandError, match=r"must be above 0|needs a number"):
        read_time_rules(tmp_path, is_legacy=True)
