"""/api/judge over the engine: acceptance, polls, results, deletion, and what a runner's messages do to a judge run."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from events.requested import Judging
from functions.aws.clients import Clients
from functions.clock import to_rfc3339
from functions.env import Env
from functions.event_log.model import Event
from functions.handlers import judge as judge_handler
from functions.handlers import record as record_handler
from functions.http.long_poll import LongPoll, long_poll
from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from functions.submissions import cancellation
from functions.submissions.accept.acceptance import Acceptance
from functions.submissions.model import Status
from functions.submissions.queues import Queues
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, Invocation, call, event, get, post
from tests.adapters.judging.judge_world import CASES, completed, judge, progress, requested, result
from tests.adapters.pipeline import Pipeline
from tests.adapters.quota_usage import whole_usage
from tests.submission_factory import FakeTime

MIXED = {"metadata": {"build": "7"}}


def rows(aws: Aws) -> list[dict[str, Any]]:
    return [item for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith("SUBMISSION#")]


def patient(monkeypatch: pytest.MonkeyPatch, *steps: Any) -> FakeTime:
    """Let fake time pass in waits; call each of `steps` in one of them, in order."""
    time, left = FakeTime(), iter(steps)

    def sleep(secs: float) -> None:
        time.sleep(secs)
        next(left, lambda: None)()

    monkeypatch.setitem(judge_handler.ENV._parts, long_poll, LongPoll(sleep, time.monotonic))
    return time


def without_time(method: str, path: str, project_key: str, query: dict[str, str], body: Any = None) -> Answer:
    """Call an invocation that has no time left for a wait."""
    headers = {"X-API-Key": project_key, "Content-Type": "application/json"}
    made = event(method, path, headers=headers, query=query, body=None if body is None else json.dumps(body))
    return call(made, Invocation(lambda: 0.5))


# --- acceptance ---------------------------------------------------------------------------------------------------


def test_without_time_to_wait_a_judge_run_is_answered_at_once(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = patient(monkeypatch)
    body = {"language": "python", "code": "print(1)", "cases": CASES}
    monkeypatch.setattr(Queues, "recent_depth", lambda _self, _priority: 13)
    accepted = without_time("POST", "/api/judge", project_key, {}, body)
    assert (accepted.status, accepted.json["error"], len(rows(aws))) == (408, "timeout", 1)
    polled = without_time("GET", f"/api/judge/{accepted.json['id']}", project_key, {"wait": "20"})
    assert (polled.status, polled.json["status"]) == (200, "pending")
    assert accepted.json["waiting"] == polled.json["waiting"] == {"reason": "queue", "behind": 12}
    assert time.slept == []


def test_a_judge_run_is_queued_recorded_and_read(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    accepted = judge(project_key, MIXED)
    assert (accepted.status, accepted.json["status"]) == (202, "pending")
    asked = requested(aws)
    assert asked.judging is not None
    assert [case.expected for case in asked.judging.cases] == [b"3\n", b"42\n"]
    path = f"/api/judge/{accepted.json['id']}"
    waiting = get(project_key, path).json
    assert (waiting["status"], waiting["finished"], waiting["total"], waiting["results"]) == ("pending", 0, 2, [])

    assert pipeline.record(completed(accepted.json["id"], execution_id=asked.execution_id)) == []
    body = get(project_key, path).json
    assert (body["status"], body["all_passed"], body["passed"], body["failed"]) == ("completed", False, 1, 1)
    assert (body["score"], body["max_score"], body["first_failed"]) == (1, 2, 1)
    assert [case["stdout"] for case in body["results"]] == ["3\n", "forty-one\n"]
    assert body["results"][1]["checker_message"] == "line 1"
    assert body["metadata"] == {"build": "7"}
    assert [case["index"] for case in get(project_key, path, query={"after": "1"}).json["results"]] == [1]
    (row,) = rows(aws)
    assert {"code", "judging", "due_at_ms", "due_shard"}.isdisjoint(row)


def test_large_cases_go_through_the_bucket_and_are_deleted_with_the_run(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    cases = [{"stdin": "x" * 300_000, "expected": "y"}] * 2
    answer = judge(project_key, cases=cases, code="#" + "z" * 9_000)
    asked = requested(aws)
    assert (asked.judging, asked.code[:2]) == (None, b"#z")
    assert asked.judging_key is not None
    assert asked.judging_key.startswith(f"judge-inputs/{answer.json['id']}/")
    bucket = aws.names["PayloadsBucket"]
    text = Clients.s3().get_object(Bucket=bucket, Key=asked.judging_key)["Body"].read()
    assert [len(case.stdin or b"") for case in Judging.parse(text).cases] == [300_000] * 2
    (row,) = rows(aws)
    assert {"code", "judging"}.isdisjoint(row)

    large = [result(index, stdout=b"o" * 60_000) for index in range(2)]
    assert pipeline.record(completed(answer.json["id"], large, execution_id=asked.execution_id)) == []
    shown = get(project_key, f"/api/judge/{answer.json['id']}").json
    assert [case["stdout"] for case in shown["results"]] == ["o" * 60_000] * 2
    assert get(project_key, f"/api/judge/{answer.json['id']}", method="DELETE").json["deleted"] is True
    assert "Contents" not in Clients.s3().list_objects_v2(Bucket=bucket)
    assert aws.items("SubmissionsTable") == []
    assert get(project_key, f"/api/judge/{answer.json['id']}").status == 404


def test_a_checker_program_reaches_the_runner_with_its_files(aws: Aws, project_key: str) -> None:
    checker = {
        "kind": "program",
        "language": "c++",
        "protocol": "testlib",
        "code": "int main() {}",
        "args": ["1e-6"],
        "files": {"testlib.h": "// header"},
    }
    assert (
        judge(project_key, checker=checker, cases=[CASES[0], CASES[1] | {"checker": {"kind": "exact"}}]).status == 202
    )
    judging = requested(aws).judging
    assert judging is not None
    program = judging.checkers[0].program
    assert program is not None
    assert (program.language, program.code, program.args) == ("cpp", b"int main() {}", ("1e-6",))
    assert [(one.name, one.content) for one in program.files] == [("testlib.h", b"// header")]
    assert [case.checker for case in judging.cases] == [0, 1]


def test_an_invalid_request_names_each_field_and_nothing_is_accepted(aws: Aws, project_key: str) -> None:
    answer = judge(
        project_key, cases=[*CASES, {"stdin": "", "checker": {"kind": "exact", "float_abs": 1, "code": "x"}}]
    )
    assert answer.status == 422
    assert {problem["field"] for problem in answer.json["fields"]} == {
        "cases[2].checker.float_abs",
        "cases[2].checker.code",
    }
    assert judge(project_key, wait="maybe").status == 400
    assert judge(None).status == 401
    assert aws.items("SubmissionsTable") == []


def test_a_body_over_5_mib_is_refused(aws: Aws, project_key: str) -> None:
    assert judge(project_key, cases=[{"stdin": "x" * 5_300_000}]).status == 413


def test_the_same_idempotency_key_is_the_same_judge_run(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    first = judge(project_key, idempotency_key="k").json["id"]
    assert judge(project_key, idempotency_key="k").json["id"] == first
    assert judge(project_key, idempotency_key="k", stop="first_failure").status == 409
    assert pipeline.record(completed(first)) == []
    final = judge(project_key, idempotency_key="k")
    assert (final.status, final.json["id"], final.json["passed"]) == (200, first, 1)
    assert whole_usage(aws, PROJECT_ID).day.count == 1


def test_an_identical_body_joins_while_it_is_in_flight(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    first = judge(project_key).json["id"]
    assert judge(project_key).json["id"] == first
    other = judge(project_key, cases=CASES[:1]).json["id"]
    assert other != first
    assert len(aws.messages("BatchQueue")) == 2
    assert pipeline.record(completed(first)) == []
    again = judge(project_key)
    assert (again.status, again.json["id"] != first) == (202, True)
    assert judge(project_key).json["id"] == again.json["id"]
    assert get(project_key, f"/api/judge/{first}", method="DELETE").status == 200
    assert judge(project_key).json["id"] == again.json["id"]


def test_a_judge_run_that_outlasted_its_client_answers_the_repeat(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client got 408 after 28 s, and repeats the call when it has just ended."""
    first = judge(project_key).json["id"]
    row = pipeline.submissions.get(first)
    assert row is not None
    created_ms = judge_handler.ENV.clock()
    ended = to_rfc3339(created_ms + 29_000)
    assert pipeline.record(completed(first, completed_at=ended)) == []
    for secs, is_joined in ((60, True), (100, False)):
        later = Env("judge", judge_handler.SETTINGS, FakeTime(created_ms + secs * 1000))
        monkeypatch.setitem(judge_handler.ENV._parts, Acceptance, later[Acceptance])
        assert (judge(project_key).json["id"] == first) == is_joined


def test_a_judge_run_counts_one_per_ten_cases_in_the_day_and_once_otherwise(aws: Aws, project_key: str) -> None:
    assert judge(project_key, cases=[{"stdin": str(index)} for index in range(25)]).status == 202
    usage = whole_usage(aws, PROJECT_ID)
    assert (usage.minute.count, usage.day.count, usage.in_flight) == (1, 3, 1)


def test_the_quota_of_a_day_refuses_a_judge_run_that_does_not_fit(aws: Aws, project_key: str) -> None:
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "x", quotas={"judge": Quota(60, 3, 10)}))
    twenty = [{"stdin": str(index)} for index in range(20)]
    assert judge(project_key, cases=twenty).status == 202
    assert judge(project_key, cases=[*twenty, {"stdin": "x"}]).status == 429
    assert judge(project_key).status == 202
    assert judge(project_key, stop="group").status == 429


def test_a_refused_judge_run_of_an_earlier_body_is_429_and_not_the_earlier_one(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "x", quotas={"judge": Quota(60, 1, 10)}))
    first = judge(project_key).json["id"]
    assert pipeline.record(completed(first)) == []
    assert judge(project_key).status == 429


# --- waiting and progress -----------------------------------------------------------------------------------------


def test_wait_is_the_default_and_ends_after_28_s_with_the_finished_cases(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report() -> None:
        asked = requested(aws, "InteractiveQueue")
        news = progress(
            asked.submission_id, asked.execution_id, result(0, checker_message="quotes", team_message="hint")
        )
        assert pipeline.record(news) == []

    time = patient(monkeypatch, report)
    answer = judge(project_key, wait=None)
    assert (answer.status, answer.json["error"]) == (408, "timeout")
    assert sum(time.slept) == pytest.approx(28, abs=0.5)
    assert (answer.json["finished"], answer.json["total"]) == (1, 2)
    (case,) = answer.json["results"]
    assert (case["outcome"], case["stdout"], case["checker_message"], case["team_message"]) == ("passed", *[None] * 3)
    assert judge(project_key, wait="0.001").json["id"] == answer.json["id"]


def test_a_waiting_client_gets_the_result(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        asked = requested(aws, "InteractiveQueue")
        assert pipeline.record(completed(asked.submission_id, execution_id=asked.execution_id)) == []

    patient(monkeypatch, end)
    answer = judge(project_key, wait=None, unknown=1)
    assert (answer.status, answer.json["passed"]) == (200, 1)
    assert answer.json["warnings"] == ["The field unknown is unknown and was ignored."]


def test_a_poll_ends_as_soon_as_a_case_from_after_on_is_finished(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    path = f"/api/judge/{run}"
    later = progress(run, execution, result(1, "wrong_answer"), sent_at="2026-11-24T12:00:02.000Z")
    patient(monkeypatch, lambda: pipeline.record(progress(run, execution, result(0))), lambda: pipeline.record(later))
    first = get(project_key, path, query={"wait": "20", "after": "0"}).json
    assert [case["index"] for case in first["results"]] == [0]
    second = get(project_key, path, query={"wait": "20", "after": "1"}).json
    assert [(case["index"], case["outcome"]) for case in second["results"]] == [(1, "wrong_answer")]
    assert (second["finished"], second["status"]) == (2, "pending")
    assert get(project_key, path, query={"after": "x"}).status == 400


def test_progress_of_an_earlier_execution_is_not_shown(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    """A runner died: the judge run starts again elsewhere, and each case is reported once."""
    run = judge(project_key).json["id"]
    old, new = requested(aws).execution_id, "11111111-1111-4111-8111-111111111111"
    assert pipeline.record(progress(run, old, result(0), result(1))) == []
    pipeline.submissions.mark_started(run, new, "runner-2", "2026-11-24T12:00:00.000Z")
    assert get(project_key, f"/api/judge/{run}").json["results"] == []
    assert pipeline.record(progress(run, new, result(0))) == []
    assert [case["index"] for case in get(project_key, f"/api/judge/{run}").json["results"]] == [0]


def test_progress_after_the_end_or_of_a_deleted_judge_run_leaves_nothing(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    assert pipeline.record(completed(run, execution_id=execution)) == []
    assert pipeline.record(progress(run, execution, result(0))) == []
    assert len(rows(aws)) == 1
    assert get(project_key, f"/api/judge/{run}", method="DELETE").status == 200
    assert pipeline.record(progress(run, execution, result(0))) == []
    assert aws.items("SubmissionsTable") == []


def test_progress_of_a_long_judge_run_moves_its_due_time(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    pipeline.submissions.mark_started(run, execution, "runner-1", "2026-11-24T12:00:00.000Z")
    before = pipeline.submissions.get(run)
    pipeline.time.advance(80)
    assert pipeline.record(progress(run, execution, result(0), sent_at="2026-11-24T12:01:20.000Z")) == []
    after = pipeline.submissions.get(run)
    assert before is not None
    assert after is not None
    assert before.due_at_ms is not None
    assert after.due_at_ms == before.due_at_ms + 80_000
    assert pipeline.record(progress(run, execution, result(1), sent_at="2026-11-24T12:00:20.000Z")) == []
    assert pipeline.submissions.get(run) == after


def test_a_sign_of_life_moves_the_due_time_and_leaves_no_row(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    pipeline.submissions.mark_started(run, execution, "runner-1", "2026-11-24T12:00:00.000Z")
    items = len(aws.items("SubmissionsTable"))
    for minute in range(1, 60):
        pipeline.time.advance(60)
        assert pipeline.record(progress(run, execution, sent_at=f"2026-11-24T12:{minute:02}:00.000Z")) == []
        assert pipeline.sweep()["handled"] == 0
    assert len(aws.items("SubmissionsTable")) == items
    # Five hours after its start it counts as lost, whatever its runner says.
    assert pipeline.record(progress(run, execution, sent_at="2026-11-24T17:00:00.000Z")) == []
    assert pipeline.sweep(after_secs=241)["handled"] == 1


@pytest.mark.parametrize("cases", [2, 200])
def test_a_lost_judge_run_is_repeated_within_five_minutes(
    aws: Aws, project_key: str, pipeline: Pipeline, cases: int
) -> None:
    body = {"cases": [CASES[0]] * cases, "limits": {"wall_time_secs": 25}}
    run = judge(project_key, body).json["id"]
    execution = requested(aws).execution_id
    pipeline.submissions.mark_started(run, execution, "runner-1", "2026-11-24T12:00:00.000Z")
    pipeline.time.advance(80)
    assert pipeline.record(progress(run, execution, result(0), sent_at="2026-11-24T12:01:20.000Z")) == []
    assert pipeline.sweep(after_secs=239)["handled"] == 0
    assert pipeline.sweep(after_secs=2)["handled"] == 1
    (again,) = aws.messages("BatchQueue")
    assert again["execution_id"] != execution
    # It may wait for a slot. When it has begun and is silent again, the judge run ends.
    assert pipeline.sweep(after_secs=239)["handled"] == 0
    started = {"started_at": "2026-11-24T12:10:00.000Z", "sent_at": "2026-11-24T12:11:00.000Z"}
    sign = json.loads(progress(run, again["execution_id"])) | started
    assert pipeline.record(json.dumps(sign)) == []
    pipeline.sweep(after_secs=241)
    ended = get(project_key, f"/api/judge/{run}").json
    assert (ended["status"], ended["error_message"]) == ("error", "the run did not come to an end, twice")


@pytest.mark.parametrize(
    ("cases", "ceiling", "total_secs"), [(1, 3600, None), (42, 3600, None), (43, 3600, 301), (200, 600, 600)]
)
def test_a_message_has_the_total_of_the_cases_within_the_ceiling_of_the_operator(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, cases: int, ceiling: int, total_secs: int | None
) -> None:
    monkeypatch.setenv("JUDGE_TOTAL_SECS", str(ceiling))
    judge_handler.ENV.forget()
    assert judge(project_key, {"cases": [CASES[0]] * cases}).status == 202
    assert requested(aws).total_secs == total_secs


@pytest.mark.parametrize("start", [b"x", b"{"])
def test_cases_are_compressed_unless_older_functions_must_read_them(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """Both settings read what the other one wrote."""

    def choose(*, compresses: bool) -> None:
        for env in (judge_handler.ENV, record_handler.ENV):
            monkeypatch.setattr(env.settings, "compress_cases", compresses)

    choose(compresses=start == b"x")
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    assert pipeline.record(progress(run, execution, result(0))) == []
    pending, shown = sorted(rows(aws), key=lambda row: "cases" in row)
    assert (pending["judging"]["B"][:1], shown["cases"]["B"][:1]) == (start, start)
    choose(compresses=start == b"{")
    assert [case["outcome"] for case in get(project_key, f"/api/judge/{run}").json["results"]] == ["passed"]
    assert pipeline.record(progress(run, execution, result(1), sent_at="2026-11-24T12:01:20.000Z")) == []
    assert len(get(project_key, f"/api/judge/{run}").json["results"]) == 2
    assert pipeline.sweep(after_secs=300)["handled"] == 1  # it makes the message from the row again
    (first, _) = requested(aws).judging.cases  # type: ignore[union-attr]
    assert first.stdin == CASES[0]["stdin"].encode()
    assert pipeline.record(completed(run)) == []
    choose(compresses=start == b"x")
    outcomes = [case["outcome"] for case in get(project_key, f"/api/judge/{run}").json["results"]]
    assert outcomes == ["passed", "wrong_answer"]


# --- ends ---------------------------------------------------------------------------------------------------------


OUT_OF_TIME = "the cases of this judge run took more than 300 s together"
CHECKS_OUT_OF_TIME = "the checkers of this judge run took more than 120 s together"


@pytest.mark.parametrize(
    ("outcome", "message"),
    [("judge_error", OUT_OF_TIME), ("skipped", OUT_OF_TIME), ("judge_error", CHECKS_OUT_OF_TIME)],
)
def test_cases_that_were_not_judged_for_want_of_time_are_an_error_also_of_an_older_runner(
    aws: Aws, project_key: str, pipeline: Pipeline, outcome: str, message: str
) -> None:
    hidden = [case | {"visibility": "hidden"} for case in CASES]
    run = judge(project_key, {"cases": hidden}).json["id"]
    cases = [result(0, "failed"), result(1, outcome, checker_message=message)]
    assert pipeline.record(completed(run, cases, execution_id=requested(aws).execution_id)) == []
    ended = get(project_key, f"/api/judge/{run}").json
    assert (ended["status"], ended["error_message"]) == ("error", message)


def test_no_other_message_of_a_hidden_case_becomes_that_of_the_judge_run(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    run = judge(project_key, {"cases": [CASES[0] | {"visibility": "hidden"}]}).json["id"]
    cases = [result(0, "judge_error", checker_message=f"the checker ended with exit code 3: {OUT_OF_TIME} secret")]
    assert pipeline.record(completed(run, cases, execution_id=requested(aws).execution_id)) == []
    ended = get(project_key, f"/api/judge/{run}")
    assert (ended.json["status"], ended.json["error_message"]) == ("error", None)
    assert b"secret" not in ended.raw


@pytest.mark.parametrize(("slot_secs", "units"), [(None, 1), (300, 1), (301, 2), (3600, 56), (1e300, 1436)])
def test_slot_minutes_beyond_five_count_in_the_quota_of_the_day(
    aws: Aws, project_key: str, pipeline: Pipeline, slot_secs: float | None, units: int
) -> None:
    run = judge(project_key).json["id"]
    more: dict[str, Any] = {} if slot_secs is None else {"slot_secs": slot_secs}
    message = completed(run, execution_id=requested(aws).execution_id, **more)
    for _ in range(2):
        assert pipeline.record(message) == []
    usage = whole_usage(aws, PROJECT_ID)
    assert (usage.minute.count, usage.day.count, usage.in_flight) == (1, units, 0)


def test_a_second_result_changes_nothing(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    assert pipeline.record(completed(run, execution_id=execution)) == []
    before = get(project_key, f"/api/judge/{run}").json
    everything = [result(0), result(1)]
    assert pipeline.record(completed(run, everything, execution_id=execution)) == []
    assert get(project_key, f"/api/judge/{run}").json == before


def test_a_result_that_does_not_fit_ends_among_the_dead_letters_as_an_error(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    run = judge(project_key).json["id"]
    bad = completed(run, [result(0)])
    assert pipeline.record(bad) == [0]
    assert pipeline.dead_letters(bad) == []
    body = get(project_key, f"/api/judge/{run}").json
    assert (body["status"], body["skipped"], body["passed"]) == ("error", 2, 0)
    assert body["error_message"] == "the answer of the runner could not be read"


def test_log_lines_about_the_result_name_the_judge_run(
    project_key: str, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    run = judge(project_key).json["id"]
    pipeline.record(completed(run, [result(0)]), completed(run))
    told = [(line.message, vars(line).get("submission_id")) for line in caplog.records if "recorded" in line.message]
    assert told == [("Completion not recorded", run), ("Completion recorded", run)]


def test_a_run_never_takes_the_result_of_a_judge_run(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = post(project_key, {"language": "python", "code": "x"}).json["id"]
    assert pipeline.record(completed(run)) == [0]
    assert get(project_key, f"/api/result/{run}").json["status"] == "pending"


def test_a_judge_run_that_no_runner_could_judge_ends_as_an_error(
    aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    run = judge(project_key).json["id"]
    (message,) = aws.messages("BatchQueue")
    assert pipeline.submissions.mark_started(run, message["execution_id"], "runner", message["requested_at"])
    assert pipeline.dead_letters(json.dumps(message)) == []
    body = get(project_key, f"/api/judge/{run}").json
    assert (body["status"], body["skipped"]) == ("error", 2)


def test_the_sweeper_sends_a_lost_judge_run_again(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    for cases in (CASES, [{"stdin": "x" * 20_000}]):
        judge(project_key, cases=cases)
        first = requested(aws)
        pipeline.time.ms = judge_handler.ENV.clock() + 3_600_000
        assert pipeline.sweep()["failed"] == 0
        again = requested(aws)
        assert (again.submission_id, again.code) == (first.submission_id, first.code)
        assert again.execution_id != first.execution_id
        assert again.judging == first.judging or again.judging_key is not None
        assert pipeline.record(completed(again.submission_id, [result(i) for i in range(len(cases))])) == []


def test_a_checker_that_failed_makes_the_judge_run_an_error(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    assert pipeline.record(completed(run, [result(0), result(1, "judge_error")])) == []
    body = get(project_key, f"/api/judge/{run}").json
    assert (body["status"], body["passed"], body["failed"], body["judge_errors"]) == ("error", 1, 0, 1)
    row = pipeline.submissions.get(run)
    assert row is not None
    assert row.status is Status.ERROR


# --- outputs, lists, deletion, tenancy ----------------------------------------------------------------------------


def test_the_whole_output_of_a_case_is_read_where_it_is_shown(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    cases = [*CASES, CASES[0] | {"visibility": "verdict"}, CASES[0]]
    run = judge(project_key, cases=cases).json["id"]
    execution = requested(aws).execution_id
    key = f"outputs/{run}/{execution}/case-0-stdout"
    Clients.s3().put_object(Bucket=aws.names["PayloadsBucket"], Key=key, Body=b"\xff" * 100_000)
    first = result(0)
    first["run"]["stdout"] |= {"size_bytes": 100_000, "object_key": key}
    path = f"/api/judge/{run}"
    assert get(project_key, f"{path}/cases/0/stdout").status == 409
    results = [first, result(1), result(2), result(3, "skipped")]
    assert pipeline.record(completed(run, results, execution_id=execution)) == []
    shown = get(project_key, path).json["results"]
    assert (shown[0]["stdout"], shown[0]["stdout_truncated"]) == ("3\n", True)
    assert get(project_key, f"{path}/cases/0/stdout").raw == b"\xff" * 100_000
    assert get(project_key, f"{path}/cases/1/stdout").raw == b"forty-one\n"
    assert [get(project_key, f"{path}/cases/{index}/stdout").status for index in ("2", "3", "4")] == [404] * 3
    assert get(project_key, f"{path}/cases/x/stdout").status == 400
    assert get(project_key, path, method="DELETE").status == 200
    assert "Contents" not in Clients.s3().list_objects_v2(Bucket=aws.names["PayloadsBucket"])


NAMES = ["../../../etc/passwd", "a\nb\r\n", "\0", "\x1b[2J", "\u202e", "%2e%2e/", "{}", "__proto__", "é" * 64]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_case_is_shown_as_it_is_and_names_no_object(
    aws: Aws, project_key: str, pipeline: Pipeline, name: str
) -> None:
    groups = [{"id": name, "points": 1}]
    run = judge(project_key, cases=[CASES[0] | {"id": name, "group": name}], groups=groups).json["id"]
    assert pipeline.record(completed(run, [result(0)], execution_id=requested(aws).execution_id)) == []
    shown = get(project_key, f"/api/judge/{run}").json
    assert (shown["results"][0]["id"], shown["groups"][0]["id"], shown["score"]) == (name, name, 1)
    keys = [
        each["Key"] for each in Clients.s3().list_objects_v2(Bucket=aws.names["PayloadsBucket"]).get("Contents", [])
    ]
    assert not any(name in key for key in keys)


@pytest.mark.parametrize("name", ["", "x" * 65, 7, None, "\ud800"])
def test_another_name_of_a_case_is_refused_or_none(project_key: str, name: object) -> None:
    answer = judge(project_key, cases=[CASES[0] | {"id": name}])
    assert answer.status == (202 if name is None else 422)


def test_a_thousand_cases_in_one_request_are_refused_with_the_limit(project_key: str) -> None:
    answer = judge(project_key, cases=[{}] * 1_000)
    assert (answer.status, answer.json["fields"]) == (
        422,
        [{"field": "cases", "message": "Must have at most 200 items."}],
    )


@pytest.mark.parametrize("serves_files", ["false", "true"])
def test_output_of_a_case_that_no_answer_can_hold_comes_from_the_bucket(
    aws: Aws, project_key: str, pipeline: Pipeline, serves_files: str
) -> None:
    aws.monkeypatch.setenv("SERVES_FILES", serves_files)
    run = judge(project_key, cases=CASES[:1]).json["id"]
    execution = requested(aws).execution_id
    key = f"outputs/{run}/{execution}/case-0-stdout"
    first = result(0)
    first["run"]["stdout"] |= {"size_bytes": 8 << 20, "object_key": key}
    assert pipeline.record(completed(run, [first], execution_id=execution)) == []
    answer = get(project_key, f"/api/judge/{run}/cases/0/stdout")
    if serves_files == "true":
        assert answer.headers["x-stored-object-key"] == key
    else:
        assert (answer.status, answer.json["size"], key in answer.json["url"]) == (200, 8 << 20, True)


def test_late_output_of_a_deleted_judge_run_goes_too(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    assert get(project_key, f"/api/judge/{run}", method="DELETE").status == 200
    prefix = f"outputs/{run}/{execution}"
    case = result(0)
    case["run"]["stdout"] |= {"size_bytes": 100_000, "object_key": f"{prefix}/case-0-stdout"}
    s3, bucket = Clients.s3(), aws.names["PayloadsBucket"]
    s3.put_object(Bucket=bucket, Key=f"{prefix}/case-0-stdout", Body=b"x")
    s3.put_object(Bucket=bucket, Key=f"{prefix}/cases", Body=json.dumps({"cases": [case]}).encode())
    message = completed(run, execution_id=execution, cases_key=f"{prefix}/cases")
    message = json.dumps(json.loads(message) | {"cases": None})
    assert pipeline.record(message) == []
    left = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == [f"deleted/{run}"]  # the mark that the judge run is deleted


def test_results_of_a_runner_in_the_bucket_stay_there(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    execution = requested(aws).execution_id
    key = f"outputs/{run}/{execution}/cases"
    text = json.dumps({"cases": [result(0), result(1)]}).encode()
    message = json.dumps(json.loads(completed(run, execution_id=execution)) | {"cases": None, "cases_key": key})
    assert pipeline.record(message) == [0]  # the object is missing
    Clients.s3().put_object(Bucket=aws.names["PayloadsBucket"], Key=key, Body=text)
    assert pipeline.record(message) == []
    assert get(project_key, f"/api/judge/{run}").json["all_passed"] is True


def test_lists_show_judge_runs_beside_runs(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    run = judge(project_key).json["id"]
    assert pipeline.record(completed(run)) == []
    waiting, other = judge(project_key).json["id"], post(project_key, {"language": "c", "code": "x"}).json["id"]
    items = {item["id"]: item for item in get(project_key, "/api/results").json["items"]}
    assert {key: item["kind"] for key, item in items.items()} == {run: "judge", waiting: "judge", other: "run"}
    for kind, wanted in (("judge", {run, waiting}), ("run", {other})):
        found = get(project_key, "/api/results", query={"kind": kind}).json["items"]
        assert {item["id"] for item in found} == wanted
    assert get(project_key, "/api/results", query={"kind": "case"}).status == 400
    assert (items[run]["passed"], items[run]["cases"]) == (1, 2)
    assert items[waiting]["status"] == "pending"
    assert "forty-one" not in json.dumps(items[run])


def test_a_judge_run_is_no_result_and_a_run_is_no_judge_run(aws: Aws, project_key: str) -> None:
    run, result_id = judge(project_key).json["id"], post(project_key, {"language": "c", "code": "x"}).json["id"]
    assert get(project_key, f"/api/result/{run}").status == 404
    assert get(project_key, f"/api/result/{run}", method="DELETE").status == 404
    assert get(project_key, f"/api/judge/{result_id}").status == 404
    assert get(project_key, f"/api/judge/{result_id}", method="DELETE").status == 404


def test_a_running_judge_run_that_does_not_end_cannot_be_deleted(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellation, "END_SECS", 0.01)
    run = judge(project_key).json["id"]
    pipeline.submissions.mark_started(run, requested(aws).execution_id, "runner-1", "2026-11-24T12:00:00.000Z")
    assert get(project_key, f"/api/judge/{run}", method="DELETE").status == 409


def test_the_end_publishes_one_event_to_webhooks_and_the_bus(
    aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = pipeline.endpoint(project_id=PROJECT_ID)
    cases = [CASES[0], CASES[1] | {"visibility": "verdict"}]
    run = judge(project_key, cases=cases).json["id"]
    for _ in range(2):
        assert pipeline.record(completed(run)) == []
    assert pipeline.webhook(*pipeline.hints()) == []
    (sent,) = pipeline.sent_to(endpoint)
    body = json.loads(sent.body)
    assert (body["type"], body["id"], body["passed"]) == ("judge.completed", run, 1)
    assert sent.webhook_id == run
    assert b"forty-one" not in sent.body
    assert b"line 1" not in sent.body
    put: list[dict[str, Any]] = []

    def publish_all(events: Sequence[Event]) -> dict[str, str]:
        put.extend(json.loads(event.body) for event in events)
        return {}

    monkeypatch.setattr(pipeline.bus, "publish_all", publish_all)
    assert pipeline.announce(run) == []
    assert put == [body]


def test_the_log_holds_no_input_no_output_and_no_message(
    aws: Aws, project_key: str, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    cases = [{"stdin": "hidden-input", "expected": "hidden-expected"}, *CASES[:1]]
    run = judge(project_key, cases=cases).json["id"]
    pipeline.record(completed(run, [result(0, checker_message="hidden-message", stdout=b"hidden-output")]))
    pipeline.record(completed(run, [result(0, checker_message="hidden-message", stdout=b"hidden-output"), result(1)]))
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert run in text
    assert "hidden" not in text
