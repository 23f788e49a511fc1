"""What a program prints becomes a body, or a reason why there is none."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhooks.deliveries.model import TransformFailure
from functions.webhooks.deliveries.written_body import (
    MAX_BODY_BYTES,
    OutputInvalidError,
    WrittenBody,
    read_output,
)
from functions.webhooks.sending.transforms import MAX_ERROR_CHARS, TransformEnd

JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("stdout", "content", "headers"),
    [
        (b'{"body": {"text": "a"}}\n', b'{"text":"a"}', JSON),
        (b'{"body": "plain"}', b"plain", TEXT),
        (b'{"body": "[1]"}', b"[1]", JSON),
        (b'{"body": {"text": "\\u00fc"}}', '{"text":"ü"}'.encode(), JSON),
        (b'{"body": null}', b"null", JSON),
        (
            b'{"body": "a", "headers": {"Content-Type": "text/csv", "X-A": "1"}}',
            b"a",
            {"content-type": "text/csv", "x-a": "1"},
        ),
        (b'{"body": "a", "skip": false}', b"a", TEXT),
        (b'{"text": "no field of ours"}\n', b'{"text": "no field of ours"}', JSON),
        (b"two\nlines\n", b"two\nlines", TEXT),
        (b"NaN values\n", b"NaN values", TEXT),
        (b"[" * 100_000, b"[" * 100_000, TEXT),
    ],
)
def test_an_output_is_a_body(stdout: bytes, content: bytes, headers: dict[str, str]) -> None:
    written = read_output(stdout)
    assert written == WrittenBody(content, headers)
    assert written is not None
    assert WrittenBody.of(written.stored) == written


def test_a_program_may_skip_an_event() -> None:
    assert read_output(b'{"skip": true}') is None
    assert read_output(b'{"skip": true, "body": 1}') is None


@pytest.mark.parametrize(
    ("stdout", "problem"),
    [
        (b"", "printed nothing"),
        (b" \n", "printed nothing"),
        (b"\xff", "not UTF-8"),
        (b'{"skip": 1}', "skip must be"),
        (b'{"headers": {}}', "has no body"),
        (b'{"body": 1, "header": {}}', "unknown field 'header'"),
        (b'{"body": NaN}', "has NaN, which JSON cannot have"),
        (b'{"a": [-Infinity]}', "has -Infinity, which JSON cannot have"),
        (b'{"skip": Infinity}', "has Infinity, which JSON cannot have"),
        (b'{"body": "[NaN]"}', "cannot have"),
        (b'{"body": 1e999}', "cannot have"),
        (b'{"body": "\\ud800"}', "cannot have"),
        (b'{"body": 1, "headers": [1]}', "must be an object"),
        (b'{"body": 1, "headers": []}', "must be an object"),
        (b'{"body": 1, "headers": null}', "must be an object"),
        (b'{"body": 1, "headers": {"\\ud800": "x"}}', "HTTP token"),
        (b'{"body": 1, "headers": {"a": 1}}', "must be an object"),
        (b'{"body": 1, "headers": {"content-type": "a\\r\\nx: y"}}', "content-type"),
        (b'{"body": 1, "headers": {"content-type": ""}}', "content-type"),
        (b'{"body": 1, "headers": {"x": "a\\r\\nhost: b"}}', "headers.x"),
        (b'{"body": 1, "headers": {"host": "b"}}', "cannot be customised"),
        (b'{"body": 1, "headers": {"webhook-signature": "v1,x"}}', "cannot be customised"),
        (b'{"body": 1, "headers": {"content-length": "1"}}', "cannot be customised"),
        (json.dumps({"body": "a" * (MAX_BODY_BYTES + 1)}).encode(), "at most 262,144"),
        (json.dumps({"body": 1, "headers": {f"x-{n}": "1" for n in range(17)}}).encode(), "At most 16 headers"),
    ],
)
def test_another_output_is_refused_with_its_problem(stdout: bytes, problem: str) -> None:
    with pytest.raises(OutputInvalidError, match=problem):
        read_output(stdout)


_NAMES = st.sampled_from(["body", "headers", "skip", "\ud800", "x-a"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
    max_leaves=8,
)


@given(_VALUES)
def test_each_value_of_python_is_a_body_that_is_json_or_has_a_problem(value: Any) -> None:
    written = None
    with suppress(OutputInvalidError):
        written = read_output(json.dumps(value).encode())
    if written is not None and written.headers == JSON:
        json.loads(written.content.decode(), parse_constant=pytest.fail)
        assert WrittenBody.of(written.stored) == written


def test_a_failed_program_has_its_verdict_and_the_end_of_its_errors() -> None:
    end = TransformEnd("RE", b'{"body": 1}', b"x" * 5_000 + b"KeyError: 'a'\n")
    failure = end.body()
    assert isinstance(failure, TransformFailure)
    assert failure.verdict == "RE"
    assert failure.error.endswith("KeyError: 'a'")
    assert len(failure.error) == MAX_ERROR_CHARS


def test_a_failure_of_the_platform_has_its_message() -> None:
    assert TransformEnd("IE", error="no runner").body() == TransformFailure("IE", "no runner")
