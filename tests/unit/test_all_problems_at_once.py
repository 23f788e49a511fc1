"""A request is refused once, with all of its wrong fields: those of its shape, and those of the rules after it."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from events.vocabulary import Language
from functions.checks.calls.secret import parse_verification
from functions.checks.settings.check_settings import TagQuietTimes, quiet_problems
from functions.checks.settings.requests import changed_settings, new_settings
from functions.errors import ServiceError
from functions.http import validation
from functions.http.validation import Problems, parse_body, with_stand_ins
from functions.judging.problems import parse_problem
from functions.judging.requests import parse_judge_request
from functions.projects.bodies import CreateProjectRequest, changed
from functions.projects.model import Project
from functions.submissions.accept.requests import ProgramRules, check_submission, parse_submission, read_body
from functions.webhooks.endpoints.requests import parse_endpoint, parse_recovery, parse_rotation
from functions.webhooks.webhook_url import PUBLIC_ONLY

NOW_MS = 1_900_000_000_000
PROJECT = Project("p", "project", profiles=("judge",))


def submit(raw: bytes) -> None:
    check_submission(read_body(raw), ProgramRules(tuple(Language), project=PROJECT), Problems())


def judge(raw: bytes) -> None:
    parse_judge_request(raw, ProgramRules(tuple(Language), project=PROJECT))


def problem(raw: bytes) -> None:
    parse_problem(raw, offered=Language)


def check(raw: bytes) -> None:
    new_settings(raw, NOW_MS)


def endpoint(raw: bytes) -> None:
    parse_endpoint(raw, PUBLIC_ONLY)


def project(raw: bytes) -> None:
    problems = Problems()
    request = parse_body(CreateProjectRequest, raw, problems)
    changed(Project("p", request.name), request, problems)


def quiet(raw: bytes) -> None:
    problems = Problems()
    times = parse_body(TagQuietTimes, raw, problems)
    for tag, some in times.tags.items():
        problems.add(quiet_problems(f"tags.{tag}", some))
    problems.refuse()


def error_of(parse: Callable[[bytes], object], body: Any) -> ServiceError | None:
    try:
        parse(json.dumps(body).encode())
    except ServiceError as error:
        return error
    return None


def size(error: ServiceError) -> int:
    return len(error.message) + sum(len(each.field) + len(each.message) for each in error.fields)


def refused(parse: Callable[[bytes], object], body: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        parse(json.dumps(body).encode())
    return caught.value


def named(parse: Callable[[bytes], object], body: Any) -> set[str]:
    return {each.field for each in refused(parse, body).fields}


PROGRAM = {"language": "python", "code": "print(1)"}
CASE = {"stdin": "1", "expected": "1"}


def test_a_submission_names_its_shape_its_limits_its_policy_and_its_files() -> None:
    body = {
        "language": "cobol",
        "code": 5,
        "profile": "agent",
        "limits": {"memory_mb": "much", "cpu_time_secs": 1e6, "colour": 1},
        "files": [{"path": "../up", "content": "1"}, {"path": 7}],
        "metadata": {str(number): "x" for number in range(17)},
        "webhook_url": "http://127.0.0.1/",
        "artifacts": ["out[1]"],
        "network": {"allow": ["api.example.com"]},
    }
    assert named(submit, body) == {
        *("language", "code", "profile", "limits.memory_mb", "limits.cpu_time_secs", "limits.colour"),
        *("files[0].path", "files[1].path", "files[1].content", "metadata", "webhook_url", "webhook_secret"),
        *("artifacts[0]", "network.allow"),
    }


def test_a_judge_run_names_wrong_cases_checkers_and_groups() -> None:
    cases = [
        {"points": -1, "limits": {"memory_mb": 1e6}},
        {"group": "none", "checker": {"kind": "program", "language": "cobol", "code": "x", "protocol": "kattis"}},
        {"checker": {"kind": "regex"}},
    ]
    assert named(judge, PROGRAM | {"cases": cases, "groups": [{"id": "a", "points": "x"}], "profile": "agent"}) == {
        *("cases[0].points", "cases[0].limits.memory_mb", "cases[1].group", "cases[1].checker.language"),
        *("cases[2].checker.kind", "groups[0].points", "groups[0].id", "profile"),
    }


def test_a_problem_names_wrong_cases_and_files() -> None:
    body = {"id": "a b", "cases": [CASE | {"stdin_sha256": "0" * 64, "args": 1}], "files": [{"path": "solution.py"}]}
    assert named(problem, body) == {*("id", "cases[0].args", "cases[0].stdin", "files[0].path", "files[0].content")}


def test_a_check_names_its_program_its_schedule_and_its_rules() -> None:
    body = {
        "name": "x",
        "language": "python",
        "retries": 9,
        "limits": {"memory_mb": 1e6},
        "schedule": "cron(never)",
        "timezone": "Mars/Olympus",
        "faster_while_failing": "rate(0 minutes)",
        "env": {"A-B": "1"},
        "fail_after": {"needed": 3, "of": 2},
        "quiet": [{"schedule": "rate(1 day)", "minutes": 1}, {"schedule": "x", "timezone": "x", "minutes": 1}],
    }
    assert named(check, body) == {
        *("code", "retries", "limits.memory_mb", "schedule", "timezone", "faster_while_failing", "env.A-B"),
        *("fail_after.needed", "quiet[0].schedule", "quiet[1].schedule", "quiet[1].timezone"),
    }


def test_a_change_of_a_check_names_all_too() -> None:
    before = new_settings(json.dumps(PROGRAM | {"name": "x"}).encode(), NOW_MS)

    def change(raw: bytes) -> None:
        changed_settings(before, raw, NOW_MS)

    body = {"kind": "heartbeat", "retries": 9, "limits": {"memory_mb": 1e6}, "timezone": "x"}
    assert named(change, body) == {"kind", "retries", "limits.memory_mb", "timezone"}


def test_an_endpoint_names_its_address_its_events_and_its_headers() -> None:
    body = {
        "url": "http://127.0.0.1/",
        "max_concurrency": 0,
        "events": ["a", "b"],
        "headers": {"Host": "x"},
        "secret": "short",
        "api_version": "1",
        "filters": {"languages": ["cobol"], "verdicts": ["XX"]},
    }
    assert named(endpoint, body) == {
        *("url", "max_concurrency", "events[0]", "events[1]", "headers.host", "secret", "api_version"),
        *("filters.languages[0]", "filters.verdicts[0]"),
    }


def test_projects_quiet_times_and_smaller_requests_name_all_too() -> None:
    assert named(project, {"name": 1, "network": {"access": "none", "allow": ["a.example"]}}) == {
        "name",
        "network.allow",
    }
    wrong = {"schedule": "x", "timezone": "x", "minutes": 0}
    assert named(quiet, {"tags": {"a": [wrong]}}) == {
        *("tags.a[0].schedule", "tags.a[0].timezone", "tags.a[0].minutes")
    }
    assert named(parse_rotation, {"overlap_secs": -1, "secret": "short"}) == {"overlap_secs", "secret"}
    recovery = {"since": "2001-01-01T00:00:00Z", "retrying": "x"}
    assert named(lambda raw: parse_recovery(raw, NOW_MS), recovery) == {"since", "retrying"}
    verification = {"verify": "stripe", "prefix": 5, "encoding": "hex"}
    assert named(parse_verification, verification) == {"prefix", "encoding", "secret"}


def test_no_problem_is_named_that_only_follows_from_another() -> None:
    for parse, body, fields in (
        (submit, PROGRAM | {"profile": "boss", "network": {"allow": ["a.example"]}}, {"profile", "network.allow"}),
        (submit, PROGRAM | {"webhook_url": 5, "webhook_secret": "x"}, {"webhook_url"}),
        (judge, PROGRAM | {"problem": 5}, {"problem"}),
        (judge, PROGRAM | {"cases": [CASE | {"group": "a"}], "groups": "a"}, {"groups"}),
        (judge, PROGRAM | {"cases": [CASE | {"group": 5}], "groups": [{"id": "a"}]}, {"cases[0].group"}),
        (check, {"kind": "hartbeat", "name": "x"}, {"kind"}),
        (check, PROGRAM | {"name": 5}, {"name"}),
        (check, PROGRAM | {"name": "x", "fail_after": {"needed": 3, "of": "5"}}, {"fail_after.of"}),
        (project, {"name": "x", "network": {"access": "listed", "allow": ["10.0.0.1"]}}, {"network.allow[0]"}),
        (check, PROGRAM | {"name": "x", "network": {"allow": ["10.0.0.1"]}}, {"network.allow[0]"}),
        (submit, PROGRAM | {"files": [{"path": "a", "sha256": "0"}]}, {"files[0].sha256"}),
        (endpoint, {"url": 5, "headers": {"authorization": "Bearer x"}}, {"url"}),
        (endpoint, {"url": "https://a.example.com", "format": "x", "routing_key": "a" * 32}, {"format"}),
    ):
        assert named(parse, body) == fields


def test_the_first_problem_decides_the_error_as_before() -> None:
    wrong_language = refused(submit, PROGRAM | {"language": "cobol", "limits": {"memory_mb": 1e6}})
    assert (wrong_language.code, wrong_language.message[:31]) == ("bad_request", "This language is not supported.")
    assert [each.field for each in wrong_language.fields] == ["language", "limits.memory_mb"]
    forbidden = refused(submit, PROGRAM | {"profile": "agent", "network": {"allow": ["a.example"]}})
    assert (forbidden.code, forbidden.message[:48]) == ("forbidden", "This project may not use the agent profile. Send")
    assert [each.field for each in forbidden.fields] == ["profile", "network.allow"]
    too_large = refused(submit, PROGRAM | {"code": "x" * 70_000, "stdin": 5})
    assert (too_large.code, [each.field for each in too_large.fields]) == ("invalid", ["stdin", "code"])


RICH: list[tuple[Callable[[bytes], object], dict[str, Any]]] = [
    (
        submit,
        PROGRAM
        | {
            "stdin": "1",
            "profile": "judge",
            "limits": {"memory_mb": 64, "cpu_time_secs": 1},
            "metadata": {"a": "b"},
            "files": [{"path": "a", "content": "1"}, {"path": "b", "content_base64": "MQ=="}],
            "compile_args": [],
            "args": ["1"],
            "artifacts": ["*.png"],
            "webhook_url": "https://a.example.com/",
            "webhook_secret": "secret",
            "keep_code": True,
        },
    ),
    (
        judge,
        PROGRAM
        | {
            "cases": [
                CASE | {"id": "1", "group": "a", "points": 1, "limits": {"memory_mb": 64}, "args": ["1"]},
                CASE | {"checker": {"kind": "tokens", "float_abs": 0.1}, "files": [{"path": "c", "content": ""}]},
            ],
            "checker": {"kind": "program", "language": "python", "code": "1", "protocol": "kattis", "files": {"a": ""}},
            "groups": [{"id": "a", "points": 1, "aggregate": "pass_fail", "requires": []}],
            "stop": "never",
        },
    ),
    (
        problem,
        {
            "id": "hello",
            "cases": [CASE | {"group": "a"}, {"stdin_sha256": "0" * 64, "expected_sha256": "0" * 64}],
            "checker": {"kind": "lines"},
            "groups": [{"id": "a"}],
            "limits": {"memory_mb": 64},
            "files": [{"path": "a", "sha256": "0" * 64}],
        },
    ),
    (
        check,
        PROGRAM
        | {
            "name": "x",
            "slug": "x",
            "kind": "program",
            "limits": {"memory_mb": 64},
            "network": {"allow": ["a.example"]},
            "files": [{"path": "a", "content": "1"}],
            "env": {"A": "1"},
            "events": ["push"],
            "match": {"$.ref": "x"},
            "schedule": "rate(1 day)",
            "timezone": "UTC",
            "trigger": {"type": "check", "slug": "y", "statuses": ["failed"]},
            "assertions": [{"type": "verdict", "equals": "AC"}],
            "fail_after": {"needed": 1, "of": 2},
            "quiet": [{"schedule": "cron(0 2 * * ? *)", "minutes": 5, "timezone": "UTC"}],
            "report": {"github_status": {"token": "t", "context": "c"}},
            "tags": ["a"],
        },
    ),
    (
        endpoint,
        {
            "url": "https://a.example.com/",
            "events": ["submission.completed"],
            "headers": {"X-A": "1"},
            "format": "event",
            "kinds": ["run"],
            "filters": {"verdicts": ["AC"], "languages": ["python"], "metadata": {"a": "b"}},
            "payload": "full",
            "max_per_second": 1,
        },
    ),
    (
        project,
        {
            "name": "x",
            "profiles": ["judge"],
            "quotas": {"judge": {"per_minute": 1}},
            "network": {"access": "listed", "allow": ["a.example"], "mb_per_day": 1},
        },
    ),
    (parse_rotation, {"overlap_secs": 60, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}),
    (parse_verification, {"verify": "hmac", "header": "x-signature", "secret": "s" * 32}),
    (quiet, {"tags": {"a": [{"schedule": "cron(0 2 * * ? *)", "minutes": 5, "timezone": "UTC"}]}}),
]
JUNK: tuple[Any, ...] = (
    None,
    5,
    -1.5,
    True,
    "",
    "x",
    "x" * 70_000,
    [],
    [5],
    {},
    {"x": {"y": [None]}},
    [[[]]],
    "\ud800",
)


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if place:
        yield place
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[name], (*place, name))


def with_junk(body: dict[str, Any], place: tuple[str | int, ...], junk: Any) -> dict[str, Any]:
    changed_body = copy.deepcopy(body)
    inner: Any = changed_body
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = junk
    return changed_body


@pytest.mark.parametrize(("parse", "body"), RICH, ids=[parse.__name__ for parse, _ in RICH])
def test_whatever_is_in_any_place_is_taken_or_refused_with_a_small_answer(
    parse: Callable[[bytes], object], body: dict[str, Any]
) -> None:
    assert error_of(parse, body) is None
    errors = [error_of(parse, with_junk(body, place, junk)) for place in places(body) for junk in JUNK]
    found = [error for error in errors if error is not None]
    assert {error.status for error in found} <= {400, 403, 422}
    assert all(error.fields for error in found)
    assert max(size(error) for error in found) < 8_000


@pytest.mark.parametrize(("parse", "body"), RICH, ids=[parse.__name__ for parse, _ in RICH])
def test_a_body_with_a_stand_in_is_always_refused(
    parse: Callable[[bytes], object], body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stood_in: list[str] = []

    def recorded(model: type[BaseModel], given: Mapping[str, Any]) -> BaseModel | None:
        stood_in.append(model.__name__)
        return with_stand_ins(model, given)

    monkeypatch.setattr(validation, "with_stand_ins", recorded)
    accepted = []
    for place in places(body):
        for junk in JUNK:
            stood_in.clear()
            if error_of(parse, with_junk(body, place, junk)) is None and stood_in:
                accepted.append((place, junk))
    assert accepted == []


def many_wrong(count: int) -> dict[str, Any]:
    return {
        "language": "x" * 1_000,
        "code": "x" * 70_000,
        "profile": "\ud800" * 1_000,
        "limits": {"y" * 500 + str(number): "z" * 50 for number in range(count // 4)},
        "metadata": {"k" * 500 + str(number): number for number in range(count // 4)},
        "cases": [{"checker": {"kind": "x"}, "limits": {"memory_mb": -1}, "group": "g"}] * (count // 16),
        "files": [{"path": "/" * 900, "content": 1}] * (count // 16),
    }


@pytest.mark.parametrize("parse", [submit, judge])
def test_thousands_of_wrong_fields_get_a_small_answer(parse: Callable[[bytes], object]) -> None:
    raw = json.dumps(many_wrong(18_000)).encode()
    with pytest.raises(ServiceError) as caught:
        parse(raw)
    assert len(caught.value.fields) == 20
    assert size(caught.value) < 8_000


def test_the_deepest_accepted_nesting_gets_a_short_answer() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = {"a" * 60: deep}
    error = refused(submit, PROGRAM | {"limits": deep, "metadata": deep, "files": [deep], "artifacts": deep})
    assert len(json.dumps([[each.field, each.message] for each in error.fields])) < 4_000


def test_no_value_of_the_client_is_echoed() -> None:
    secret = "rb_live_the_hidden_value"
    body = PROGRAM | {"code": [secret], "webhook_secret": f"whpk_{secret}", "limits": {"memory_mb": secret}}
    error = refused(submit, body | {"files": [{"path": "a", "content": [secret]}], "metadata": {"a": [secret]}})
    assert secret not in json.dumps([error.message, *([each.field, each.message] for each in error.fields)])


def test_a_right_request_is_read_once() -> None:
    assert parse_submission(json.dumps(PROGRAM).encode(), offered=Language).program.code == b"print(1)"
