"""Logs are JSON with the submission's id, and hold nothing that was not listed."""

import json
import logging
import sys

from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.log import JsonFormatter


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord("sandbox_runtime.x", logging.INFO, __file__, 1, "execution completed", (), None)
    made.__dict__.update(extra)
    return made


def test_a_line_carries_the_correlation_id_of_the_request() -> None:
    line = json.loads(JsonFormatter().format(record(submission_id="s-1", correlation_id="request-1")))
    assert (line["correlation_id"], line["submission_id"]) == ("request-1", "s-1")


def test_without_the_id_of_a_request_the_submission_is_the_correlation_id() -> None:
    line = json.loads(JsonFormatter().format(record(submission_id="s-1", correlation_id=None, verdict="AC")))
    assert (line["message"], line["level"], line["service"]) == ("execution completed", "INFO", "runner")
    assert (line["correlation_id"], line["submission_id"], line["verdict"]) == ("s-1", "s-1", "AC")
    assert line["timestamp"].endswith("+00:00")
    assert line["version"] == RUNNER_VERSION


def test_keys_that_are_not_listed_stay_out() -> None:
    text = JsonFormatter().format(record(source="SECRET", stdin="SECRET", stdout="SECRET", environment="SECRET"))
    assert "SECRET" not in text


def test_a_log_names_an_exception_by_type_and_line_not_by_its_text() -> None:
    try:
        raise ValueError("SECRET")  # noqa: TRY301
    except ValueError:
        made = record()
        made.exc_info = sys.exc_info()
    line = json.loads(JsonFormatter().format(made))
    assert line["exception"] == "ValueError"
    assert "test_a_log_names" in line["exception_at"][0]
    assert "SECRET" not in json.dumps(line)


def test_one_record_is_one_line() -> None:
    assert "\n" not in JsonFormatter().format(record(problem="a\nb"))
