"""The body of POST /api/judge: each problem is told at its place, in a sentence of its own."""

import json
from typing import Any

import pytest

from events.requested import Judging
from events.vocabulary import CheckerKind, Language, Stop
from functions.errors import BadRequestError, InvalidFieldsError
from functions.judging.requests import ValidJudgeRun, parse_judge_request
from functions.submissions.accept.requests import ProgramRules, parse_submission

CASE = {"stdin": "1\n", "expected": "1\n"}
PROGRAM = {"kind": "program", "language": "cpp", "code": "int main() {}", "protocol": "testlib"}
NAMED = [CASE | {"id": f"{number:03}" + "\x01" * 61} for number in range(200)]
"""JSON writes six characters for each control character."""


def parse(**body: Any) -> ValidJudgeRun:
    whole = {"language": "python", "code": "print(1)", "cases": [CASE], **body}
    return parse_judge_request(json.dumps(whole).encode(), ProgramRules((Language.PYTHON, Language.CPP)))


def judging_of(**body: Any) -> Judging:
    """What a request with its own cases says of them."""
    judging = parse(**body).judging
    assert judging is not None
    return judging


def problems(**body: Any) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as refused:
        parse(**body)
    return {problem.field: problem.message for problem in refused.value.fields}


def test_the_request_of_the_published_sdk() -> None:
    request = parse(cases=[CASE, {"stdin": "", "expected": ""}], profile="agent")
    judging = request.judging
    assert judging is not None
    assert [case.stdin for case in judging.cases] == [b"1\n", b""]
    assert [checker.kind for checker in judging.checkers] == [CheckerKind.LINES]
    assert judging.stop is Stop.NEVER
    assert request.program.profile == "agent"
    assert Judging.parse(judging.serialise()) == judging


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"cases": []}, "cases", "This field is required, or problem."),
        ({"cases": [CASE] * 201}, "cases", "Must have at most 200 items."),
        ({"cases": [CASE, {"stdin": 1}]}, "cases[1].stdin", "Must be a string."),
        ({"cases": [CASE | {"stdinn": ""}]}, "cases[0].stdinn", "There is no such field."),
        ({"cases": [CASE | {"group": "none"}]}, "cases[0].group", "There is no group with this id in groups."),
        ({"cases": [CASE | {"id": "a"}, CASE | {"id": "a"}]}, "cases[1].id", "Another case has the same id."),
        ({"cases": [CASE | {"limits": {"memory_mb": 5000}}]}, "cases[0].limits.memory_mb", "Must be a whole number"),
        ({"cases": [CASE | {"limits": {"open_files": 64}}]}, "cases[0].limits.open_files", "This limit holds for all"),
        (
            {"cases": [CASE | {"limits": {"file_size_mb": 9}}]},
            "cases[0].limits.file_size_mb",
            "This limit holds for all",
        ),
        ({"cases": [CASE | {"args": ["a", "b\0c"]}]}, "cases[0].args[1]", "An argument has no NUL character."),
        ({"checker": PROGRAM | {"args": ["\0"]}}, "checker.args[0]", "An argument has no NUL character."),
        ({"cases": [CASE | {"points": -1}]}, "cases[0].points", "Must be at least 0.0."),
        ({"cases": [CASE | {"visibility": "none"}]}, "cases[0].visibility", "Must be one of full"),
        ({"cases": [CASE | {"stdin": "x" * 1_048_577}]}, "cases[0].stdin", "Has 1,048,577 bytes, the limit is"),
        ({"cases": [CASE | {"stdin": "x" * 900_000}] * 5}, "cases", "Inputs and expected outputs have 4,500,010 bytes"),
        ({"checker": {"kind": "regex"}}, "checker.kind", "Must be one of lines, exact"),
        (
            {"checker": {"kind": "lines", "float_abs": 1}},
            "checker.float_abs",
            "A checker of the kind lines has no such",
        ),
        ({"checker": {"kind": "tokens", "code": "x"}}, "checker.code", "A checker of the kind tokens has no such"),
        ({"checker": {"kind": "tokens", "float_rel": -1}}, "checker.float_rel", "Must be at least 0.0."),
        ({"cases": [CASE, CASE | {"checker": PROGRAM | {"code": ""}}]}, "cases[1].checker.code", "Required for a"),
        ({"checker": PROGRAM | {"language": "cobol"}}, "checker.language", "This language is not supported."),
        ({"checker": PROGRAM | {"protocol": "icpc"}}, "checker.protocol", "Must be one of testlib or kattis."),
        ({"checker": PROGRAM | {"code": "x" * 65_537}}, "checker.code", "Has 65,537 bytes"),
        ({"checker": PROGRAM | {"files": {"../x": ""}}}, "checker.files.../x", "Must match"),
        ({"checker": PROGRAM | {"kind": "interactor"}}, "cases[0].expected", "An interactor judges the conversation"),
        ({"groups": [{"id": "a"}]}, "groups[0].id", "No case belongs to this group."),
        ({"cases": NAMED}, "cases", "The names and groups of all cases have 75,823 bytes"),
        ({"stop": "always"}, "stop", "Must be one of never, first_failure or group."),
    ],
)
def test_each_problem_has_a_field_and_a_sentence(body: dict[str, Any], field: str, sentence: str) -> None:
    found = problems(**body)
    assert found[field].startswith(sentence), found


@pytest.mark.parametrize(
    ("requires", "field", "sentence"),
    [
        ({"a": ["b"], "b": ["a"]}, "groups", "Some groups require each other in a cycle."),
        ({"a": ["a"], "b": []}, "groups", "Some groups require each other in a cycle."),
        ({"a": ["c"], "b": []}, "groups[0].requires[0]", "There is no group with this id in groups."),
    ],
)
def test_groups_that_require_an_unknown_group_or_themselves_are_refused(
    requires: dict[str, list[str]], field: str, sentence: str
) -> None:
    groups = [{"id": name, "requires": others} for name, others in requires.items()]
    assert problems(cases=[CASE | {"group": "a"}, CASE | {"group": "b"}], groups=groups) == {field: sentence}


def test_two_groups_with_one_id_are_refused() -> None:
    found = problems(cases=[CASE | {"group": "a"}], groups=[{"id": "a"}, {"id": "a"}])
    assert found == dict.fromkeys(("groups[0].id", "groups[1].id"), "Another group has the same id.")


def test_no_problem_repeats_values_of_the_client() -> None:
    secret = "the-hidden-expected-output"
    found = problems(cases=[{"stdin": secret, "expected": [secret], "checker": {"kind": secret, "code": secret}}])
    assert secret not in json.dumps(found)


def test_equal_checkers_are_sent_once() -> None:
    cases = [CASE, CASE | {"checker": PROGRAM}, CASE | {"checker": {"kind": "exact"}}, CASE | {"checker": PROGRAM}]
    judging = judging_of(cases=cases)
    assert [checker.kind for checker in judging.checkers] == ["lines", "program", "exact"]
    assert [case.checker for case in judging.cases] == [0, 1, 2, 1]
    judging = judging_of(cases=[CASE, CASE | {"checker": PROGRAM}], checker=PROGRAM)
    assert ([checker.kind for checker in judging.checkers], judging.cases[1].checker) == (["program"], 0)


@pytest.mark.parametrize(
    ("body", "secs"),
    [
        ({}, 7),  # the default wall time of Python
        ({"limits": {"wall_time_secs": 1.5}, "cases": [CASE, CASE]}, 3),
        ({"cases": [CASE | {"limits": {"wall_time_secs": 0.5}}, CASE]}, 8),
        ({"cases": [CASE] * 200}, 1400),
        ({"limits": {"wall_time_secs": 25}, "cases": [CASE] * 200}, 3600),
        ({"limits": {"wall_time_secs": 1}, "checker": PROGRAM, "cases": [CASE] * 3}, 3),
    ],
)
def test_the_total_is_the_sum_of_the_limits_of_the_cases_within_the_ceiling(body: dict[str, Any], secs: int) -> None:
    assert parse(**body).wall_budget_secs == secs


def test_a_digest_says_whether_two_judge_runs_are_the_same() -> None:
    same = parse(cases=[CASE | {"points": 1}], checker={"kind": "lines"}, stop="never")
    assert same.body_sha256 == parse().body_sha256
    others = (
        {"cases": [CASE | {"expected": "2\n"}]},
        {"cases": [CASE | {"visibility": "hidden"}]},
        {"cases": [CASE | {"points": 2}]},
        {"stop": "first_failure"},
        {"checker": {"kind": "exact"}},
        {"metadata": {"a": "b"}},
    )
    digests = {parse(**other).body_sha256 for other in others}
    assert len(digests) == len(others)
    assert parse().body_sha256 not in digests
    run = parse_submission(b'{"language": "python", "code": "print(1)"}', offered=[Language.PYTHON])
    assert run.body_sha256 != parse().body_sha256


def test_the_digest_of_a_judge_run_is_that_of_version_0_1() -> None:
    body = {"checker": {"kind": "tokens", "float_abs": 0.5}, "files": [{"path": "d", "content": "y"}]}
    case = {"stdin": "1", "expected": "2", "files": [{"path": "c", "content": ""}]}
    assert parse(cases=[case], **body).body_sha256 == "df76b95e34d6381c04e5762e5770d6b69e3b482b633a3ffbd08efa39efd76eca"


UNANSWERED = (
    "Every program that ends normally passes these cases, because they have neither an expected output nor a "
    "checker program: "
)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"cases": [{}, CASE, {"expected": ""}, {"checker": {"kind": "exact"}}]}, "cases[0], cases[3]."),
        ({"cases": [{}], "checker": {"kind": "tokens"}}, "cases[0]."),
        ({"cases": [{}, {"checker": {"kind": "lines"}}], "checker": PROGRAM}, "cases[1]."),
        ({"cases": [{}] * 23}, f"{', '.join(f'cases[{number}]' for number in range(20))} and 3 more."),
    ],
)
def test_a_warning_names_the_cases_that_every_program_passes(changes: dict[str, Any], named: str) -> None:
    assert parse(**changes).warnings == (UNANSWERED + named,)


@pytest.mark.parametrize("kind", ["program", "interactor"])
def test_cases_that_a_program_judges_need_no_expected_output(kind: str) -> None:
    assert parse(cases=[{}, {}], checker=PROGRAM | {"kind": kind}).warnings == ()
    assert parse(cases=[{"checker": PROGRAM | {"kind": kind}}]).warnings == ()


def test_the_program_is_checked_as_that_of_a_run() -> None:
    with pytest.raises(BadRequestError, match="code is too large"):
        parse(code="x" * 65_537)
    with pytest.raises(BadRequestError, match="not supported"):
        parse(language="go")
    assert problems(webhook_url="https://example.com/") == {"webhook_secret": "Required with webhook_url."}
    assert parse(unknown=1).warnings == ("The field unknown is unknown and was ignored.",)


@pytest.mark.parametrize(
    ("body", "field", "intended"),
    [
        ({"cases": [{"stdinn": ""}]}, "cases[0].stdinn", "stdin"),
        ({"cases": [{}, {"output": ""}]}, "cases[1].output", "expected"),
        ({"cases": [{"input": ""}]}, "cases[0].input", "stdin"),
        ({"cases": [{"limits": {"memry_mb": 64}}]}, "cases[0].limits.memry_mb", "memory_mb"),
        ({"cases": [{"files": [{"pathh": "a"}]}]}, "cases[0].files[0].pathh", "path"),
        ({"cases": [{}], "checker": {"kind": "tokens", "float_asb": 1}}, "checker.float_asb", "float_abs"),
        ({"cases": [{}], "groups": [{"id": "a", "point": 1}]}, "groups[0].point", "points"),
    ],
)
def test_a_misspelt_field_of_a_part_is_refused_with_a_suggestion(
    body: dict[str, Any], field: str, intended: str
) -> None:
    assert problems(**body)[field] == f"There is no such field. Did you mean {intended}?"


def test_a_field_of_a_part_that_is_like_none_has_no_suggestion() -> None:
    found = problems(cases=[{"frobnicate": 1, "checker": {"input": 1}}])
    assert found["cases[0].frobnicate"] == found["cases[0].checker.input"] == "There is no such field."


def test_a_group_may_stop_for_itself() -> None:
    cases = [CASE | {"group": "a"}, CASE | {"group": "b"}]
    groups = [{"id": "a", "stop": True}, {"id": "b"}]
    judging = parse(cases=cases, groups=groups).judging
    assert judging is not None
    assert [group.stop for group in judging.groups] == [True, None]
    assert (
        parse(cases=cases, groups=groups).body_sha256
        != parse(cases=cases, groups=[{"id": "a"}, {"id": "b"}]).body_sha256
    )


def test_the_most_passes_of_a_checker_are_in_the_plan_and_multiply_the_total() -> None:
    program = PROGRAM | {"protocol": "kattis", "passes": 3}
    run = parse(cases=[{}, {"checker": program | {"passes": 5}}], checker=program, limits={"wall_time_secs": 2})
    assert run.judging is not None
    assert [checker.passes for checker in run.judging.checkers] == [3, 5]
    assert (run.plan.passes, run.total_secs) == (5, 2 * 2 * 5)


@pytest.mark.parametrize(
    ("checker", "sentence"),
    [
        (PROGRAM | {"protocol": "kattis", "passes": 1}, "2"),
        (PROGRAM | {"protocol": "kattis", "passes": 101}, "100"),
        (PROGRAM | {"protocol": "testlib", "passes": 2}, "Needs the protocol kattis."),
        ({"kind": "lines", "passes": 2}, "A checker of the kind lines has no such option."),
    ],
)
def test_wrong_passes_are_refused(checker: dict[str, Any], sentence: str) -> None:
    assert sentence in problems(cases=[{}], checker=checker)["checker.passes"]
