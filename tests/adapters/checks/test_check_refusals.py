"""A wrong setting of a check is refused by its place and with its reason: one table of the body of POST /api/checks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from functions.checks.assertions import MAX_PATTERN_CHARS
from functions.projects.model import NetworkAccess, ProjectNetwork
from tests.adapters.checks.check_world import PROGRAM, CheckWorld

type Case = tuple[dict[str, Any], str, str]
"""Changes of a right body, the one field that is named, and a part of its message."""

HOSTS = {"network": {"allow": ["api.example.com"]}}
HEARTBEAT = {"kind": "heartbeat", "schedule": "rate(1 day)", "language": None, "code": None}
NO_ZONE = "is no IANA time zone. Example: Europe/Berlin"
OF_A_LOADER = "steers a loader, a shell or an interpreter"
SETTINGS: list[Case] = [
    ({"schedule": "0 0 13 * 5"}, "schedule", "both day-of-month and day-of-week"),
    ({"schedule": "rate(10 seconds)"}, "schedule", "Example: rate(5 minutes)"),
    ({"schedule": "every day"}, "schedule", "Example: cron(30 2 * * ? *)"),
    ({"schedule": "rate(1 hour)", "timezone": "Mars/Olympus"}, "timezone", NO_ZONE),
    ({"timezone": "Mars/Olympus"}, "timezone", NO_ZONE),
    ({"timezone": "../etc"}, "timezone", NO_ZONE),
    ({"faster_while_failing": "often"}, "faster_while_failing", "this one has 1"),
    ({"muted_until": "tomorrow"}, "muted_until", "2027-01-31T12:00:00Z"),
    ({"shedule": "rate(1 hour)"}, "shedule", "Did you mean schedule?"),
    ({"slug": "With Spaces"}, "slug", "Must match"),
    ({"name": "!!!"}, "slug", "no letter or digit"),
    ({"name": "two\nlines"}, "name", "on one line"),
    ({"tags": ["a b"]}, "tags[0]", "Must match"),
    ({"runbook_url": "javascript:alert(1)"}, "runbook_url", "Must match"),
    ({"runbook_url": "https://wiki.example.com/a b"}, "runbook_url", "Must match"),
    ({"runbook_url": f"https://{'a' * 150}"}, "runbook_url", "at most 150"),
    ({"retries": 4}, "retries", "at most 3"),
    ({"fail_after": {"needed": 3, "of": 2}}, "fail_after.needed", "at most fail_after.of"),
    ({"limits": {"memory_mb": 10_000}}, "limits.memory_mb", "up to 1024"),
    ({**HOSTS, "profile": "judge"}, "network", "Only the agent profile"),
    ({"network": {"allow": ["169.254.169.254"]}}, "network.allow[0]", "An address is not allowed"),
    ({"network": {"allow": []}}, "network.allow", "not be empty"),
    ({**HOSTS, **HEARTBEAT}, "network", "A heartbeat has no program"),
    ({"env": {"LD_PRELOAD": "x"}}, "env.LD_PRELOAD", OF_A_LOADER),
    ({"env": {"PATH": "/tmp"}}, "env.PATH", OF_A_LOADER),
    ({"env": {"RUSTBOX_EVENT": "x"}}, "env.RUSTBOX_EVENT", OF_A_LOADER),
    ({"env": {"lower": "x"}}, "env.lower", "A name has A to Z"),
    ({"env": {"A": "x\0"}}, "env.A", "no NUL"),
    ({"env": {"A": "x" * 3_000}}, "env", "At most 2,560 bytes"),
    ({"env": {f"V{number}": "" for number in range(33)}}, "env", "at most 32"),
    ({"events": ["push,pull_request"]}, "events[0]", "Must match"),
    ({"events": [" push"]}, "events[0]", "Must match"),
    ({"events": ["x"] * 21}, "events", "at most 20"),
    ({"match": {"ref": "main"}}, "match.ref", "A path starts with `$`"),
    ({"match": {"$.a[": 1}}, "match.$.a[", "not understood from character 4"),
    ({"match": {"$.a": {"b": 1}}}, "match.$.a.str", "Must be"),
]
QUIET: list[tuple[dict[str, Any], str, str]] = [
    ({"schedule": "every day", "minutes": 5}, "schedule", "this one has 2"),
    ({"schedule": "rate(1 hour)", "minutes": 5}, "schedule", "not at a rate"),
    ({"schedule": "0 2 * * *", "minutes": 5, "timezone": "Mars/Base"}, "timezone", NO_ZONE),
    ({"schedule": "0 2 * * *", "minutes": 0}, "minutes", "at least 1"),
    ({"schedule": "0 2 * * *"}, "minutes", "required"),
]
TRIGGERS: list[tuple[Any, str, str]] = [
    ({"type": "check"}, ".check.slug", "required"),
    ({"type": "check", "slug": "Not a slug"}, ".check.slug", "Must match"),
    ({"type": "check", "slug": "a", "statuses": []}, ".check.statuses", "not be empty"),
    ({"type": "check", "slug": "a", "statuses": ["missed"]}, ".check.statuses[0]", "one of passed, flaky"),
    ({"type": "submission", "metadata": {}}, ".submission.metadata", "not be empty"),
    ({"type": "submission", "metadata": {"a": 1}}, ".submission.metadata.a", "a string"),
    ({"type": "submission", "metadata": {str(one): "x" for one in range(9)}}, ".submission.metadata", "at most 8"),
    ({"type": "submission", "metadata": {"a": "x" * 513}}, ".submission.metadata.a", "at most 512"),
    ({"type": "webhook"}, "", "one of check, submission"),
    ("import", "", "not valid"),
]
REPORTS: list[tuple[dict[str, Any], str, str]] = [
    ({"token": "***"}, "token", "There is no token to keep"),
    ({"token": "two words"}, "token", "Must match"),
    ({}, "token", "required"),
    ({"token": "t", "context": "a\nb"}, "context", "on one line"),
    ({"token": "t", "api_url": "https://10.0.0.1/api/v3"}, "api_url", "ip_literal"),
    ({"token": "t", "api_url": "http://github.example.com"}, "api_url", "bad_scheme"),
    ({"token": "t", "api_url": "https://api.example.com"}, "api_url", "reserved_name"),
    ({"token": "t", "api_url": "https://github.example.com/?a="}, "api_url", "no query"),
    ({"token": "t", "url": "x"}, "url", "There is no such field"),
]
PATTERNS = [
    ("(", "[0].stdout.matches", "RE2 refuses the pattern: missing"),
    (r"(a)\1", "[0].stdout.matches", "invalid escape sequence"),  # a back-reference needs backtracking
    ("(?=a)b", "[0].stdout.matches", "invalid perl operator"),
    ("(x{1000}){1000}", "[0].stdout.matches", "invalid repetition size"),
    ("a" * (MAX_PATTERN_CHARS + 1), "[0].stdout.matches", "at most 512 characters"),
    ("(?s)(?:.{0,99}a){9}[^ab]", "", "states together, the limit is 1,000"),  # 8 s on 1 MiB of RE2's time
]
JSON_AT = "[0].json.path"
ASSERTIONS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([{"type": "nothing"}], "[0]", "one of verdict, exit_code, stdout"),
    ([{"type": "stdout"}], "[0].stdout", "exactly one of equals, contains, matches"),
    ([{"type": "stdout", "equals": "a", "contains": "b"}], "[0].stdout", "exactly one of"),
    ([{"type": "json", "path": "$"}], "[0].json", "exactly one of equals, less_than, greater_than, exists"),
    ([{"type": "json", "path": "a.b", "exists": True}], JSON_AT, "starts with `$`"),
    ([{"type": "json", "path": "$..a", "exists": True}], JSON_AT, "from character 2"),
    ([{"type": "json", "path": "$.a[?(@.b)]", "exists": True}], JSON_AT, "from character 4"),
    ([{"type": "json", "path": "$.a[01]", "exists": True}], JSON_AT, "from character 4"),
    ([{"type": "json", "path": "$", "equals": json.loads("[" * 21 + "]" * 21)}], "[0].json.equals", "than 20 levels"),
    ([{"type": "json", "path": "$", "equals": "x" * 5_000}], "[0].json.equals", "longer than 4,096"),
    ([{"type": "json", "path": "$", "equals": {"a": ["\ud800"]}}], "[0].json.equals", "half a surrogate pair"),
    ([{"type": "verdict", "equals": "WA"}], "[0].verdict.equals", "one of AC, RE"),
    ([{"type": "exit_code", "equals": 256}], "[0].exit_code.equals", "at most 255"),
    ([{"type": "stdout", "contains": "\ud800"}], "[0].stdout.contains", "not valid"),
    ([{"type": "stdout", "contains": "x" * 4_097}], "[0].stdout.contains", "at most 4096 characters"),
    ([{"type": "wall_time", "at_most_secs": 0}], "[0].wall_time.at_most_secs", "above 0"),
    ([{"type": "stderr_empty", "extra": 1}], "[0].stderr_empty.extra", "There is no such field"),
    ([{"type": "stderr_empty"}] * 21, "", "at most 20 items"),
    ([{"type": "stdout", "equals": "😀" * 4_096}] * 20, "", "Shorten the texts"),
    *(([{"type": "stdout", "matches": pattern}], place, text) for pattern, place, text in PATTERNS),
]
TABLE: dict[str, list[Case]] = {
    "settings": SETTINGS,
    "quiet": [({"quiet": [quiet]}, f"quiet[0].{place}", text) for quiet, place, text in QUIET],
    "trigger": [({"trigger": trigger}, f"trigger{place}", text) for trigger, place, text in TRIGGERS],
    "report": [
        ({"report": {"github_status": status}}, f"report.github_status.{place}", text)
        for status, place, text in REPORTS
    ],
    "assertions": [({"assertions": wanted}, f"assertions{place}", text) for wanted, place, text in ASSERTIONS],
}


def wrongly_answered(world: CheckWorld, cases: list[Case]) -> Iterator[tuple[Case, Any]]:
    for changes, field, text in cases:
        body = {name: value for name, value in {**PROGRAM, **changes}.items() if value is not None}
        answer = world.call("POST", "/api/checks", body)
        problems = answer.json.get("fields", [])
        is_one = len(problems) == 1 or "match" in changes  # a value of `match` has one of four types
        if answer.status != 422 or not is_one or problems[0]["field"] != field or text not in problems[0]["message"]:
            yield (changes, field, text), answer.json


@pytest.mark.parametrize("part", TABLE)
def test_a_wrong_setting_is_refused_by_its_place_with_its_reason(world: CheckWorld, part: str) -> None:
    world.allow_network(ProjectNetwork(NetworkAccess.PUBLIC))
    assert list(wrongly_answered(world, TABLE[part])) == []


def test_a_wrong_quiet_time_of_a_tag_is_refused_too(world: CheckWorld) -> None:
    for quiet, field, text in QUIET:
        (problem,) = world.call("PUT", "/api/quiet-times", {"tags": {"a": [quiet]}}).json["fields"]
        assert (problem["field"], text in problem["message"]) == (f"tags.a[0].{field}", True)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_a_number_that_json_or_a_float_does_not_have_is_refused(world: CheckWorld, number: str) -> None:
    assertion = {"type": "json", "path": "$.a", "equals": "NUMBER"}
    body = json.dumps({**PROGRAM, "assertions": [assertion]}).replace('"NUMBER"', number)
    answer = world.call("POST", "/api/checks", body)
    assert (answer.status, answer.json["error"]) == (400, "bad_request")
