"""Events with less output, for endpoints that want less."""

import json
from pathlib import Path
from typing import Any

import pytest

from functions.event_log.model import event_bytes, limit_output
from tests.contract import schema_files

EVENTS = Path(__file__).parents[2] / "events" / "webhook"
ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"


def golden(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def limited(event: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(limit_output(event_bytes(event), "https://api.example.com", ID, most_bytes))
    return made


@pytest.mark.parametrize(("text", "kept"), [("abcdef", "abcd"), ("aé😀x", "aé"), ("ab", "ab")])
def test_a_stream_is_cut_between_characters(text: str, kept: str) -> None:
    event = golden("v1.completed")
    event["stdout"] = event["output"]["stdout"] = text
    made = limited(event, 4)
    assert made["stdout"] == made["output"]["stdout"] == kept
    assert made["output"].get("truncated_in_event", False) is (kept != text)
    assert made.get("result_url") == (f"https://api.example.com/api/result/{ID}" if kept != text else None)


def test_an_event_without_longer_output_keeps_its_bytes() -> None:
    for name in ("v1.completed", "judge_completed.v1.mixed", "check_run_completed.v1.passed"):
        body = event_bytes(golden(name))
        assert limit_output(body, "", ID, 10_000) is body
    body = event_bytes(golden("check_state_changed.v1.up"))
    assert limit_output(body, "", ID, 0) is body


def test_each_case_of_a_judge_run_is_cut_and_says_so() -> None:
    event = golden("judge_completed.v1.mixed")
    made = limited(event, 1)
    for case, whole in zip(made["results"], event["results"], strict=True):
        cut = len(whole["stdout"] or "") > 1
        assert case["stdout"] == (whole["stdout"][:1] if cut else whole["stdout"])
        assert case.get("stdout_truncated", False) is cut
    assert (made["truncated_in_event"], made["result_url"]) == (True, f"https://api.example.com/api/judge/{ID}")


@pytest.mark.parametrize(
    ("name", "schema"), [("v1.completed", "v1"), ("judge_completed.v1.mixed", "judge_completed.v1")]
)
def test_a_cut_event_still_has_its_schema(name: str, schema: str) -> None:
    made = limited(golden(name), 0)
    assert "result_url" in made
    schema_files.validator(schema_files.schema(f"webhook/{schema}")).validate(made)
