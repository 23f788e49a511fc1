"""Answers and events show of a case what its visibility allows, and fit into their limits."""

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from events.judged import CaseResult
from events.message import as_fields, to_shape
from events.vocabulary import Outcome, Verdict
from functions.judging.model import Plan, PlannedCase, Visibility
from functions.judging.requests import PLAN_MAX_BYTES
from functions.judging.runs import MAX_BODY_BYTES, judge_event_body
from functions.judging.views import OUTPUT_MAX_BYTES, case_body, final_body, open_body, shows_output, text_within
from functions.submissions.model import Status
from functions.submissions.results.short_views import RESPONSE_MAX_BYTES, fits_response, summary_body
from tests.judge_factory import BASE_URL, completed, final_row, judge_row, judged_runs, plan_for, with_visibility
from tests.submission_factory import golden

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE = "the-checker-quotes-the-expected-output"
TEAM = "the-checker-tells-the-contestant"
STDOUT = "the-output-quotes-the-input"
STDERR = "the-errors-quote-the-input"
PROBLEM = "the-problem-quotes-the-input"
OUTCOMES_OF_A_RUN = [outcome for outcome in Outcome if outcome is not Outcome.SKIPPED]


def result(outcome: Outcome, verdict: Verdict, *, index: int = 0, stdout: str = STDOUT) -> CaseResult:
    """A case whose every text is secret."""
    run: dict[str, Any] = json.loads(json.dumps(golden("judge_completed/v1.mixed")["cases"][0]["run"]))
    run["result"] |= {"verdict": verdict.value, "exit_code": 77, "signal": 11, "error_message": PROBLEM}
    for name, text in (("stdout", stdout), ("stderr", STDERR)):
        run[name] = {"size_bytes": len(text), "base64": base64.b64encode(text.encode()).decode()}
    case = {"index": index, "outcome": outcome, "checker_message": MESSAGE, "checker_points": 1.5, "run": run}
    return to_shape(case | {"team_message": TEAM}, CaseResult)


def with_long_messages(character: str) -> list[CaseResult]:
    """As many cases as a judge run may have, with the longest messages."""
    case, text = result(Outcome.WRONG_ANSWER, Verdict.AC), character * 4_096
    changes = {"checker_message": text, "team_message": text}
    return [case.changed(index=index, **changes) for index in range(200)]


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("outcome", OUTCOMES_OF_A_RUN)
@pytest.mark.parametrize("verdict", Verdict)
def test_visibility_over_all_outcomes_and_verdicts(visibility: Visibility, outcome: Outcome, verdict: Verdict) -> None:
    planned = PlannedCase("secret-id", "secret-group", 10, visibility)
    body = case_body(0, planned, result(outcome, verdict), 1.5, OUTPUT_MAX_BYTES)
    text, level = json.dumps(body), list(Visibility).index(visibility)
    assert (MESSAGE in text, TEAM in text) == (level == 0, level <= 2)
    for secret in (STDOUT, STDERR, PROBLEM):
        assert (secret in text) == (level <= 1), secret
    assert (body["exit_code"], body["signal"]) == ((77, 11) if level <= 1 else (None, None))
    for known in ("secret-id", "secret-group"):
        assert (known in text) == (level <= 2), known
    assert body["passed"] == (outcome is Outcome.PASSED)
    if level == 3:
        assert {name for name, value in body.items() if value is not None} == {"index", "visibility", "passed"}
    else:
        assert (body["verdict"], body["outcome"]) == (verdict.value, outcome.value)
    assert shows_output(planned) == (level <= 1)
    assert body.keys() == case_body(0, PlannedCase(), result(outcome, verdict), 1.5, OUTPUT_MAX_BYTES).keys()


def test_a_cut_of_a_hidden_output_does_not_tell_that_there_was_one() -> None:
    case = result(Outcome.PASSED, Verdict.AC, stdout="x" * 100)
    shown = case_body(0, PlannedCase(), case, 1, 10)
    assert (shown["stdout"], shown["stdout_truncated"]) == ("x" * 10, True)
    for visibility in (Visibility.VERDICT, Visibility.HIDDEN):
        assert "stdout_truncated" not in case_body(0, PlannedCase(visibility=visibility), case, 1, 10)


def test_nothing_hidden_is_in_the_answer_the_event_the_list_or_the_progress() -> None:
    plan = Plan(tuple(PlannedCase("the-id", None, 1, visibility) for visibility in Visibility))
    cases = [result(Outcome.WRONG_ANSWER, Verdict.AC, index=index, stdout=f"output-{index}") for index in range(4)]
    row = final_row(completed("mixed", cases=[as_fields(case) for case in cases]), plan)
    bodies = {
        "answer": text_within(row, cases),
        "event": judge_event_body(row, cases, BASE_URL).decode(),
        "list": json.dumps(summary_body(row)),
        "progress": json.dumps(open_body(judge_row(plan), cases)),
    }
    for name, text in bodies.items():
        assert "output-2" not in text, name
        assert "output-3" not in text, name
        assert text.count(MESSAGE) == (0 if name == "list" else 1), name
        assert text.count(TEAM) == (0 if name == "list" else 3), name
    assert "output-1" in bodies["answer"]
    assert "output-" not in bodies["progress"]


def test_an_answer_with_much_output_is_cut_until_it_fits() -> None:
    plan = Plan((PlannedCase(),) * 50)
    cases = [result(Outcome.PASSED, Verdict.AC, index=index, stdout="\x01" * OUTPUT_MAX_BYTES) for index in range(50)]
    row = judge_row(plan, status=Status.COMPLETED, completed_at="2026-11-24T12:00:01.000Z")
    text = text_within(row, cases)
    assert len(text) <= RESPONSE_MAX_BYTES
    assert fits_response(text)
    shown = json.loads(text)["results"]
    assert all(case["stdout_truncated"] and case["stdout"] for case in shown)


def test_an_event_with_much_output_has_8_kib_of_it_and_the_url() -> None:
    plan = Plan((PlannedCase(),) * 200)
    cases = [result(Outcome.PASSED, Verdict.AC, index=index, stdout="y" * 3_000) for index in range(200)]
    row = judge_row(plan, status=Status.COMPLETED, completed_at="2026-11-24T12:00:01.000Z")
    made = judge_event_body(row, cases, BASE_URL)
    assert len(made) <= MAX_BODY_BYTES
    body = json.loads(made)
    assert body["truncated_in_event"]
    assert body["result_url"] == f"{BASE_URL}/api/judge/{row.submission_id}"
    assert sum(len(case["stdout"]) + len(case["stderr"]) for case in body["results"]) == 8_192
    assert body["results"][0]["stdout"] == "y" * 3_000
    assert body["results"][199]["stdout_truncated"]


def test_an_event_of_1000_cases_has_no_results_if_they_are_too_large() -> None:
    plan = Plan((PlannedCase("i" * 64, visibility=Visibility.NO_EXPECTED),) * 1_000)
    cases = [result(Outcome.PASSED, Verdict.AC, index=index) for index in range(1_000)]
    row = judge_row(plan, status=Status.COMPLETED, completed_at="2026-11-24T12:00:01.000Z")
    made = judge_event_body(row, cases, BASE_URL)
    assert len(made) <= MAX_BODY_BYTES
    body = json.loads(made)
    assert (body["results"], body["passed"], body["truncated_in_event"]) == ([], 1_000, True)
    assert body["result_url"] == f"{BASE_URL}/api/judge/{row.submission_id}"
    assert len(json.loads(text_within(row, cases))["results"]) == 1_000


def messages_in(text: str | bytes) -> set[str | None]:
    return {case[name] for case in json.loads(text)["results"] for name in ("checker_message", "team_message")}


def test_an_event_with_long_messages_of_checkers_loses_them() -> None:
    row = judge_row(Plan((PlannedCase(),) * 200), status=Status.COMPLETED, completed_at="2026-11-24T12:00:01.000Z")
    made = judge_event_body(row, with_long_messages("m"), BASE_URL)
    assert len(made) <= MAX_BODY_BYTES
    assert messages_in(made) == {None}


def test_an_event_of_control_characters_keeps_1_kib_of_output() -> None:
    """JSON writes six bytes for each of them."""
    controls = "\x01" * 8_192
    plan = Plan(tuple(PlannedCase(f"{number:03}" + controls[:48], points=1.123456) for number in range(200)))
    assert len(json.dumps(plan.to_json(), separators=(",", ":"))) < PLAN_MAX_BYTES
    compilation: dict[str, Any] = {"verdict": "AC", "stderr_base64": base64.b64encode(controls.encode()).decode()}
    compilation |= dict.fromkeys(("cpu_time_secs", "wall_time_secs"), 0.123456) | {"cached": False}
    evidence = golden("execution_completed/v1.accepted")["evidence"]
    ended: dict[str, Any] = {"status": Status.COMPLETED, "completed_at": "2026-11-24T12:00:01.000Z"}
    metadata = {controls[:1_000]: controls[:1_048]}
    row = judge_row(plan, compilation=compilation, metadata=metadata, evidence=evidence, **ended)
    cases = [result(Outcome.PASSED, Verdict.AC, index=index, stdout=controls[:3_000]) for index in range(200)]
    made = judge_event_body(row, cases, BASE_URL)
    assert len(made) <= MAX_BODY_BYTES
    assert sum(len(case["stdout"]) + len(case["stderr"]) for case in json.loads(made)["results"]) == 1_024


@pytest.mark.parametrize(("character", "fits"), [("m", True), ("\N{GRINNING FACE}", False), ("\0", False)])
def test_an_answer_loses_the_messages_of_checkers_only_where_it_does_not_fit(character: str, *, fits: bool) -> None:
    row = judge_row(Plan((PlannedCase(),) * 200), status=Status.COMPLETED, completed_at="2026-11-24T12:00:01.000Z")
    text = text_within(row, with_long_messages(character))
    assert fits_response(text)
    assert messages_in(text) == ({character * 4_096} if fits else {None})


@pytest.mark.parametrize("name", ["mixed", "compile_error", "platform_failure"])
def test_the_event_equals_the_golden_event(name: str) -> None:
    message = completed(name)
    plan = plan_for(message)
    if name == "mixed":
        plan = with_visibility(plan, *Visibility)
    row = final_row(message, plan)
    assert json.loads(judge_event_body(row, judged_runs().results(row), BASE_URL)) == golden(
        f"webhook/judge_completed.v1.{name}"
    )


def test_a_failure_to_compile_skips_every_case_and_is_no_error() -> None:
    row = final_row(completed("compile_error"))
    body = final_body(row, judged_runs().results(row))
    assert row.status is Status.COMPLETED
    assert body["compile"] is not None
    assert body["compile"]["verdict"] == "RE"
    assert body["compile"]["stderr"]
    assert {case["outcome"] for case in body["results"]} == {"skipped"}
    assert (body["all_passed"], body["failed"], body["score"]) == (False, 0, 0)


def test_a_failure_of_the_platform_skips_every_case_and_says_why() -> None:
    row = final_row(completed("platform_failure"))
    body = final_body(row, ())
    assert row.status is Status.ERROR
    assert body["error_message"]
    assert (body["passed"], body["skipped"]) == (0, 3)


def test_the_list_shows_counts_and_points_of_a_judge_run() -> None:
    plan = plan_for(completed("mixed"))
    open_item: Mapping[str, Any] = summary_body(judge_row(plan))
    assert (open_item["kind"], open_item["cases"], "passed" in open_item) == ("judge", 7, False)
    item: Mapping[str, Any] = summary_body(final_row(completed("mixed"), plan))
    assert (item["kind"], item["passed"], item["failed"], item["score"]) == ("judge", 1, 4, 0.5)
    assert "result" not in item
