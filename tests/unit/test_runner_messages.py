"""Hostile messages are refused, with an error that names a rule and never quotes content."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from events import MessageInvalidError
from events.completed import Stream
from events.message import MAX_MESSAGE_BYTES, format_time, parse_time
from events.program import MAX_CODE_BYTES
from events.requested import MAX_STDIN_BYTES, ExecutionRequested, addressee
from tests.runner_doubles import requested


def body(**changes: Any) -> str:
    return json.dumps({**json.loads(requested().serialise()), **changes})


def refusal(text: str | bytes) -> MessageInvalidError:
    with pytest.raises(MessageInvalidError) as caught:
        ExecutionRequested.parse(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"execution_requested"',
        "{",
        "{}",
        b"\xff\xfe{}",
        "\ud800",
        "[" * 100_000,
        '{"a":' * 50_000,
        "1" * 5_000,
    ],
)
def test_an_invalid_message_is_refused(text: str | bytes) -> None:
    assert refusal(text).problem


@pytest.mark.parametrize(
    "text",
    [
        body(project_id="\ud800"),
        body().encode().replace(b'"dev"', b'"\xed\xa0\x80"'),
        body().encode("utf-16"),
        body().encode("utf-32"),
        b"\xef\xbb\xbf" + body().encode(),
    ],
    ids=["escaped half of a pair", "half of a pair", "UTF-16", "UTF-32", "byte order mark"],
)
def test_a_message_is_valid_utf_8(text: str | bytes) -> None:
    assert refusal(text).problem == "must be JSON"


def test_a_message_that_no_queue_can_carry_is_refused_before_it_is_parsed() -> None:
    assert str(MAX_MESSAGE_BYTES) in refusal(" " * MAX_MESSAGE_BYTES + "{}").problem


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e309"])
def test_a_limit_that_is_no_finite_number_is_refused(constant: str) -> None:
    text = body(limits={"cpu_time_secs": 1}).replace('"cpu_time_secs": 1', f'"cpu_time_secs": {constant}')
    assert constant in text
    refusal(text)


def test_a_key_given_twice_is_refused() -> None:
    refusal(body().replace('"version"', '"profile": "agent", "version"'))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "execution_completed"),
        ("version", 2),
        ("version", True),
        ("version", 1.0),
        ("submission_id", "7D8F0F5E-3B1C-4C59-9A52-0F7F3B2F8A11"),
        ("submission_id", "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11\n"),
        ("submission_id", "../../../../etc/passwd-aaaa-bbbb-ccccc"),
        ("project_id", ""),
        ("project_id", "p" * 65),
        ("language", "Python"),
        ("language", "cobol"),
        ("profile", "root"),
        ("priority", ""),
        ("requested_at", "2026-11-24T12:00:00Z"),
        ("requested_at", "2026-13-24T12:00:00.000Z"),
        ("requested_at", "2026-11-24T12:00:00.000+00:00"),
        ("requested_at", "2026-11-24T12:00:00.000Z\n"),
        ("code_base64", 1),
    ],
)
def test_a_field_that_breaks_its_rule_is_refused_by_name(field: str, value: object) -> None:
    assert refusal(body(**{field: value})).field == field


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YR==", "Y Q==", "YQ==\n", "YQ==YQ==", "Y-_=", "é", "YWJj="])
def test_base64_that_is_not_canonical_is_refused(text: str) -> None:
    assert refusal(body(code_base64=text)).field == "code_base64"


@pytest.mark.parametrize(("field", "most"), [("code", MAX_CODE_BYTES), ("stdin", MAX_STDIN_BYTES)])
def test_sizes_are_bounded_exactly(field: str, most: int) -> None:
    at_limit = requested(**{field: b"x" * most})
    assert ExecutionRequested.parse(at_limit.serialise()) == at_limit
    refusal(requested(**{field: b"x" * (most + 1)}).serialise())


@pytest.mark.parametrize(
    "limits",
    [
        {"cpu_time_secs": 0},
        {"wall_time_secs": -1},
        {"memory_mb": 0},
        {"memory_mb": 1.5},
        {"max_processes": True},
        {"output_kb": "1"},
        [],
        None,
    ],
)
def test_limits_out_of_shape_are_refused(limits: object) -> None:
    assert refusal(body(limits=limits)).field.startswith("limits")


def test_an_error_never_quotes_the_content() -> None:
    for changes in ({"code_base64": "SECRET!"}, {"limits": {"memory_mb": "SECRET!"}}, {"language": "SECRET!"}):
        assert "SECRET" not in str(refusal(body(**changes)))


def test_content_is_not_in_the_repr() -> None:
    assert "SECRET" not in repr(requested(code=b"SECRET", stdin=b"SECRET"))
    assert "SECRET" not in repr(Stream.of(b"SECRET"))


def test_an_output_with_a_false_size_is_refused() -> None:
    with pytest.raises(MessageInvalidError):
        Stream(size_bytes=1, content=b"")


def test_the_addressee_of_an_invalid_request_is_found() -> None:
    request = requested()
    broken = json.loads(request.serialise()) | {"profile": "root", "surprise": [], "code_base64": "?"}
    found = addressee(json.dumps(broken))
    assert found is not None
    assert (found.submission_id, found.execution_id) == (request.submission_id, request.execution_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"submission_id": "x"},
        {"submission_id": None},
        {"execution_id": 1},
        {"language": "cobol"},
        {"type": "runner_heartbeat"},
        {"version": 2},
    ],
)
def test_an_unreadable_or_newer_request_is_nobodys(changes: dict[str, object]) -> None:
    assert addressee(body(**changes)) is None
    assert addressee("not JSON") is None


def test_times_are_utc_with_microseconds() -> None:
    moment = datetime(2026, 11, 24, 13, 0, 0, 12, tzinfo=timezone(timedelta(hours=1)))
    assert format_time(moment) == "2026-11-24T12:00:00.000012Z"
    assert parse_time(format_time(moment)) == moment.astimezone(UTC)
