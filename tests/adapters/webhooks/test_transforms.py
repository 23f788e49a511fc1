"""A program of an endpoint writes the bodies of its deliveries, once for each delivery."""

import json
from dataclasses import replace
from typing import Any

import pytest

from functions import failpoint
from functions.errors import UnavailableError
from functions.http.long_poll import LongPoll, long_poll
from functions.projects.model import Quota
from functions.submissions.model import PENDING_MAX_MS
from functions.submissions.results.list_store import SubmissionList
from functions.webhooks.deliveries.model import (
    MAX_HINT_DELAY_MS,
    DeliveryState,
    TransformedDelivery,
    TransformFailure,
    first_state,
)
from functions.webhooks.deliveries.publication import Hint
from functions.webhooks.deliveries.replay import recover, replay, send_hint
from functions.webhooks.deliveries.written_body import BodyStore
from functions.webhooks.endpoints.model import Endpoint, Payload, Transform
from functions.webhooks.endpoints.store import changed_attributes
from functions.webhooks.sending.transforms import transform_runs
from tests.adapters.pipeline import Crash, Pipeline, crash_at
from tests.adapters.quota_usage import whole_usage
from tests.adapters.transform_programs import (
    PROGRAM,
    add_project,
    code_of,
    completion,
    event_of,
    one_request,
    prove,
    requests,
    send_all,
    write_bodies,
)
from tests.adapters.webhooks.endpoint_runs import finish, hint_of, hold


@pytest.fixture(autouse=True)
def project(pipeline: Pipeline) -> None:
    add_project(pipeline)


def endpoint_of(pipeline: Pipeline, **settings: Any) -> Endpoint:
    """Put an endpoint whose program has run to a sound end before."""
    endpoint = pipeline.endpoint(transform=PROGRAM, **settings)
    prove(pipeline, endpoint)
    return endpoint


def again(pipeline: Pipeline, event_id: str, endpoint: Endpoint, *, transform: bool) -> None:
    """Replay as the API does."""
    delivery = pipeline.deliveries.get_delivery(event_id, endpoint.endpoint_id)
    assert delivery is not None
    now, delivery = pipeline.at(endpoint), delivery.without_body if transform else delivery
    assert replay(pipeline.env, delivery, None, now).name == "DONE"
    send_hint(pipeline.env, replace(delivery, state=first_state(delivery, now)))


def change_program(pipeline: Pipeline, endpoint: Endpoint, code: str) -> None:
    before = pipeline.at(endpoint)
    after = replace(before, transform=Transform("python", code) if code else None)
    pipeline.change_endpoint(endpoint, *changed_attributes(before, after))


def test_a_transform_writes_the_body_that_is_signed_and_sent(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.TRANSFORMING
    send_all(pipeline)
    (request,) = requests(pipeline)
    assert (code_of(request), event_of(request)["id"]) == (PROGRAM.code, run.submission_id)
    assert (request["priority"], request["profile"], request.get("network")) == ("batch", "judge", None)
    answer = {"body": {"text": "done"}, "headers": {"x-team": "7", "content-type": "application/vnd.x+json"}}
    assert pipeline.record(completion(request, json.dumps(answer).encode())) == []
    send_all(pipeline)
    (sent,) = pipeline.sent_to(endpoint)
    assert sent.body == b'{"text":"done"}'
    assert (sent.headers["x-team"], sent.headers["content-type"]) == ("7", "application/vnd.x+json")
    assert sent.headers["webhook-id"] == run.submission_id
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert pipeline.aws.items("SubmissionsTable") == [
        item for item in pipeline.aws.items("SubmissionsTable") if run.submission_id in item["pk"]["S"]
    ], "the row of a transform goes with its end"


def test_a_transform_reads_what_its_endpoint_gets(pipeline: Pipeline) -> None:
    endpoint_of(pipeline, payload=Payload.THIN)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    (request,) = requests(pipeline)
    assert event_of(request)["url"].endswith(f"/api/events/{run.submission_id}")


def test_its_run_is_in_no_list_and_makes_no_event(pipeline: Pipeline) -> None:
    endpoint_of(pipeline)
    plain = pipeline.endpoint(events=(), kinds=("run", "judge", "check"))
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    listed = SubmissionList.from_env(pipeline.env).page("dev", limit=10, after=None)
    assert [row.submission_id for row in listed.rows] == [run.submission_id]
    assert write_bodies(pipeline) == 1
    send_all(pipeline)
    assert [each.webhook_id for each in pipeline.sent_to(plain)] == [run.submission_id]
    assert requests(pipeline) == []


def test_a_skipped_event_is_not_sent(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), b'{"skip": true}'))
    assert pipeline.hints() == [], "nothing waits for it"
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.SKIPPED
    assert pipeline.sent_to(endpoint) == []


@pytest.mark.parametrize(
    ("verdict", "stdout", "stderr", "failure"),
    [
        ("RE", b'{"body": 1}', b"KeyError: 'x'\n", TransformFailure("RE", "KeyError: 'x'")),
        ("AC", b'{"body": 1, "skap": true}', b"", None),
    ],
)
def test_a_transform_that_fails_blocks_its_delivery_and_never_sends_the_event(
    pipeline: Pipeline, verdict: str, stdout: bytes, stderr: bytes, failure: TransformFailure | None
) -> None:
    endpoint, told = endpoint_of(pipeline), pipeline.endpoint(events=("delivery.blocked",))
    silent = pipeline.endpoint(events=())
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), stdout, verdict=verdict, stderr=stderr))
    assert pipeline.hints() == [], "nothing waits for it"
    delivery = pipeline.delivery(run, endpoint.endpoint_id)
    assert delivery is not None
    assert delivery.state is DeliveryState.BLOCKED
    assert delivery.transform_failure is not None
    assert failure in {None, delivery.transform_failure}
    pipeline.sweep(after_secs=1)
    send_all(pipeline)
    assert pipeline.sent_to(endpoint) == []
    (alert,) = pipeline.sent_to(told)
    assert json.loads(alert.body)["last_delivery_id"] == f"{run.submission_id}.{endpoint.endpoint_id}"
    assert [json.loads(each.body)["type"] for each in pipeline.sent_to(silent)] == ["submission.completed"]


def test_a_blocked_alert_raises_no_alert(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    told = endpoint_of(pipeline, events=("delivery.blocked",))
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), verdict="RE"))
    for _ in range(5):
        pipeline.sweep(after_secs=4_000)
        send_all(pipeline)
        for each in requests(pipeline):
            pipeline.record(completion(each, verdict="RE"))
    events = [item["type"]["S"] for item in pipeline.aws.items("DeliveriesTable") if item["sk"]["S"] == "EVENT"]
    assert sorted(events) == ["delivery.blocked", "submission.completed"]
    assert pipeline.sent_to(endpoint) == pipeline.sent_to(told) == []


def test_after_a_mend_a_recovery_sends_what_was_blocked(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), verdict="RE"))
    change_program(pipeline, endpoint, "mended")
    pipeline.time.advance(60)
    assert recover(pipeline.env, pipeline.at(endpoint), pipeline.time() - 3_600_000)["recovered"] == 1
    send_all(pipeline)
    (request,) = requests(pipeline)
    assert code_of(request) == "mended"
    write_bodies(pipeline, [request])
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}']
    delivery = pipeline.delivery(run, endpoint.endpoint_id)
    assert delivery is not None
    assert delivery.transform_failure is None


def test_a_replay_takes_the_body_as_it_was_or_another_one(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), b'{"body": ["first"]}'))
    send_all(pipeline)
    change_program(pipeline, endpoint, "other")
    again(pipeline, run.submission_id, endpoint, transform=False)
    send_all(pipeline)
    assert requests(pipeline) == []
    assert len(pipeline.sent_to(endpoint)) == 2, "its hint is enough"
    again(pipeline, run.submission_id, endpoint, transform=True)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), b'{"body": ["second"]}'))
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'["first"]', b'["first"]', b'["second"]']


def test_without_its_transform_an_endpoint_gets_the_event(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    change_program(pipeline, endpoint, "")
    send_all(pipeline)
    send_all(pipeline)
    (sent,) = pipeline.sent_to(endpoint)
    assert json.loads(sent.body)["id"] == run.submission_id


@pytest.mark.parametrize("late_secs", [0, 10])
@pytest.mark.parametrize("ordered", [False, True])
def test_an_event_that_waits_when_its_endpoint_gets_a_transform_is_not_sent_itself(
    pipeline: Pipeline, late_secs: int, *, ordered: bool
) -> None:
    endpoint = pipeline.endpoint(ordered=ordered)
    run = pipeline.run(webhook_url=None)
    change_program(pipeline, endpoint, "late")
    pipeline.time.advance(late_secs)
    send_all(pipeline)
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.TRANSFORMING
    send_all(pipeline)
    assert write_bodies(pipeline) == 1
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}']


def test_a_retry_of_an_event_passes_the_transform_that_its_endpoint_got_since(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint()
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    change_program(pipeline, endpoint, "late")
    for _ in range(3):
        pipeline.sweep(after_secs=300)
        send_all(pipeline)
        write_bodies(pipeline)
    first, second = pipeline.sent_to(endpoint)
    assert json.loads(first.body)["id"] == run.submission_id
    assert second.body == b'{"was":"submission.completed"}'


def test_parked_events_pass_the_transform_that_their_endpoint_got_since(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint(max_concurrency=1)
    hold(pipeline, endpoint, 1)
    for _ in range(3):
        pipeline.time.ms += 1
        assert pipeline.webhook(hint_of(finish(pipeline), endpoint)) == []
    change_program(pipeline, endpoint, "late")
    for _ in range(6):
        pipeline.sweep(after_secs=130)
        send_all(pipeline)
        write_bodies(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}'] * 4


def test_a_retry_sends_the_same_body_without_another_run(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    write_bodies(pipeline)
    send_all(pipeline)
    pipeline.sweep(after_secs=300)
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}'] * 2
    assert requests(pipeline) == []


def test_a_large_body_is_kept_and_sent(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    text = json.dumps("a" * 100_000)
    pipeline.record(completion(one_request(pipeline), text.encode()))
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [text.encode()]
    assert pipeline.aws.client("s3").list_objects_v2(Bucket=pipeline.env.settings.payloads_bucket)["KeyCount"] == 0


@pytest.mark.parametrize("point", ["transform.before_begin", "transform.after_create", "transform.after_begin"])
def test_a_crash_before_the_run_loses_nothing_and_runs_it_once(pipeline: Pipeline, point: str) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    with crash_at(point), pytest.raises(Crash):
        pipeline.webhook(*pipeline.hints())
    for _ in range(4):
        pipeline.sweep(after_secs=130)
        send_all(pipeline)
        write_bodies(pipeline)
        send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}']


@pytest.mark.parametrize("point", ["complete.before_write", "complete.after_write", "complete.after_hint"])
def test_a_crash_at_the_end_of_the_run_keeps_one_body(pipeline: Pipeline, point: str) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    (request,) = requests(pipeline)
    with crash_at(point), pytest.raises(Crash):
        pipeline.record(completion(request, b'{"body": ["first"]}'))
    pipeline.record(completion(request, b'{"body": ["second"]}'))
    for _ in range(3):
        send_all(pipeline)
        pipeline.sweep(after_secs=130)
    assert len({each.body for each in pipeline.sent_to(endpoint)}) == 1
    assert len(pipeline.sent_to(endpoint)) >= 1


def test_hints_and_completions_that_come_twice_make_one_body(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    hints = pipeline.hints()
    pipeline.webhook(*hints, *hints)
    first, *more = requests(pipeline)
    assert {each["submission_id"] for each in (first, *more)} == {
        TransformedDelivery(run.submission_id, endpoint.endpoint_id).run_id
    }
    pipeline.record(completion(first, b'{"body": ["first"]}'), completion(first, b'{"body": ["second"]}'))
    pipeline.webhook(*hints)
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'["first"]']


def test_without_quota_a_delivery_waits_and_then_goes_on(pipeline: Pipeline) -> None:
    add_project(pipeline, "small", Quota(per_minute=2, per_day=100, in_flight=5))
    endpoint = endpoint_of(pipeline, project_id="small")
    runs = [pipeline.run(webhook_url=None, project_id="small") for _ in range(3)]
    send_all(pipeline)
    assert write_bodies(pipeline) == 2
    waiting = [each for each in runs if pipeline.state(each, endpoint.endpoint_id) is DeliveryState.TRANSFORMING]
    assert len(waiting) == 1
    pipeline.time.advance(61)
    send_all(pipeline)
    pipeline.sweep(after_secs=200)
    send_all(pipeline)
    assert write_bodies(pipeline) == 1
    send_all(pipeline)
    assert len(pipeline.sent_to(endpoint)) == 3


@pytest.mark.parametrize("replayed", [False, True])
def test_waits_for_quota_grow_up_to_a_bound_and_a_hint_that_comes_twice_changes_nothing(
    pipeline: Pipeline, *, replayed: bool
) -> None:
    add_project(pipeline, "small", Quota(per_minute=100, per_day=100, in_flight=1))
    endpoint = endpoint_of(pipeline, project_id="small")
    late = pipeline.run(webhook_url=None, project_id="small")
    if replayed:
        send_all(pipeline)
        write_bodies(pipeline)
        send_all(pipeline)
    else:
        pipeline.hints()
    pipeline.run(webhook_url=None, project_id="small")
    send_all(pipeline)
    one_request(pipeline)  # and it does not end
    if replayed:
        pipeline.time.advance(50_000)
        again(pipeline, late.submission_id, endpoint, transform=True)
    names = {"event_id": late.submission_id, "endpoint_id": endpoint.endpoint_id, "project_id": "small"}
    hint, waits = json.dumps({**names, "transforms": True}), list[int]()
    for _ in range(30):
        assert pipeline.webhook(hint, hint) == []
        delivery = pipeline.delivery(late, endpoint.endpoint_id)
        assert delivery is not None
        waits.append(delivery.next_at_ms - pipeline.time())
        pipeline.time.ms += waits[-1]
    assert requests(pipeline) == []
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1_000, MAX_HINT_DELAY_MS)


def test_the_runs_are_released_from_the_quota(pipeline: Pipeline) -> None:
    add_project(pipeline, "small", Quota(per_minute=100, per_day=100, in_flight=1))
    endpoint = endpoint_of(pipeline, project_id="small")
    for number in range(3):
        pipeline.run(webhook_url=None, project_id="small")
        send_all(pipeline)
        assert write_bodies(pipeline) == 1, number
        send_all(pipeline)
    assert len(pipeline.sent_to(endpoint)) == 3


def test_a_deleted_result_takes_the_body_with_it(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    kept, early = pipeline.run(webhook_url=None), pipeline.run(webhook_url=None)
    send_all(pipeline)
    by_event = {event_of(each)["id"]: each for each in requests(pipeline)}
    write_bodies(pipeline, [by_event[kept.submission_id]])
    pipeline.deliveries.cancel_event(early.submission_id)
    write_bodies(pipeline, [by_event[early.submission_id]])
    assert pipeline.state(early, endpoint.endpoint_id) is DeliveryState.CANCELLED
    delivery = pipeline.delivery(kept, endpoint.endpoint_id)
    assert delivery is not None
    assert pipeline.env[BodyStore].get(delivery) != b""
    pipeline.deliveries.cancel_event(kept.submission_id)
    assert pipeline.env[BodyStore].get(delivery) == b""
    assert [item for item in pipeline.aws.items("DeliveriesTable") if "body_zlib" in item] == []


def test_a_disabled_endpoint_pauses_a_deleted_one_cancels(pipeline: Pipeline) -> None:
    off, gone = endpoint_of(pipeline), endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    pipeline.change_endpoint(off, {"enabled": False})
    pipeline.endpoints.delete("dev", gone.endpoint_id)
    send_all(pipeline)
    assert pipeline.state(run, off.endpoint_id) is DeliveryState.PAUSED
    assert pipeline.state(run, gone.endpoint_id) is DeliveryState.CANCELLED
    assert requests(pipeline) == []


def test_a_paused_delivery_is_transformed_when_it_is_recovered(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline, enabled=False)
    pipeline.run(webhook_url=None)
    pipeline.change_endpoint(endpoint, {"enabled": True})
    pipeline.time.advance(5)
    recover(pipeline.env, pipeline.at(endpoint), pipeline.time() - 60_000)
    send_all(pipeline)
    write_bodies(pipeline)
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}']


def test_an_ordered_endpoint_waits_for_its_transform_and_goes_on_after_a_blocked_one(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline, ordered=True)
    runs = []
    for _ in range(3):
        runs.append(pipeline.run(webhook_url=None).submission_id)
        pipeline.time.advance(0.01)
    send_all(pipeline)
    by_event = {event_of(each)["id"]: each for each in requests(pipeline)}
    for event_id in reversed(runs[1:]):
        pipeline.record(completion(by_event[event_id], json.dumps(event_id).encode()))
        send_all(pipeline)
    assert pipeline.sent_to(endpoint) == []
    pipeline.record(completion(by_event[runs[0]], verdict="RE"))
    send_all(pipeline)
    assert [json.loads(each.body) for each in pipeline.sent_to(endpoint)] == runs[1:]


def test_a_lost_run_begins_again_with_its_event(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    assert len(requests(pipeline)) == 1  # and nobody answers
    pipeline.sweep(after_secs=130)
    (request,) = requests(pipeline)
    assert (code_of(request), event_of(request)["type"]) == (PROGRAM.code, "submission.completed")
    write_bodies(pipeline, [request])
    send_all(pipeline)
    assert len(pipeline.sent_to(endpoint)) == 1


def test_a_run_that_never_starts_blocks_its_delivery(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    requests(pipeline)
    pipeline.sweep(after_secs=PENDING_MAX_MS // 1000 + 60)
    send_all(pipeline)
    delivery = pipeline.delivery(run, endpoint.endpoint_id)
    assert delivery is not None
    assert (delivery.state, delivery.transform_failure and delivery.transform_failure.verdict) == (
        DeliveryState.BLOCKED,
        "IE",
    )


def test_a_run_that_begins_late_has_its_whole_time(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    pipeline.hints()
    pipeline.sweep(after_secs=PENDING_MAX_MS // 1000 + 60)
    send_all(pipeline)
    assert len(requests(pipeline)) == 1
    pipeline.sweep(after_secs=130)
    write_bodies(pipeline)
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}']


def test_an_earlier_build_sends_no_delivery_that_waits_for_its_transform(pipeline: Pipeline) -> None:
    """It knows `new` of a hint only, and reads the row otherwise, whose state it does not know."""
    endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    (hint,) = map(json.loads, pipeline.hints())
    assert hint["transforms"] is True
    assert "new" not in hint


def test_a_hint_gives_an_earlier_build_no_body_of_a_transform(pipeline: Pipeline) -> None:
    """It would send the form in which we store it."""
    endpoint = endpoint_of(pipeline)
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    write_bodies(pipeline)
    (first,) = pipeline.hints()
    assert {"new", "body"}.isdisjoint(json.loads(first))
    without_new = Hint.parse(first).without_new.text
    assert {"new", "body", "waiting", "written"}.isdisjoint(json.loads(without_new))
    assert pipeline.webhook(first) == []
    pipeline.sweep(after_secs=300)
    (retry,) = pipeline.hints()
    assert {"new", "body"}.isdisjoint(json.loads(retry))
    assert pipeline.webhook(retry) == []
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'{"was":"submission.completed"}'] * 2


def test_two_ends_at_once_write_one_body(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    request = one_request(pipeline)

    def end_between(name: str) -> None:
        if name == "complete.before_write":
            failpoint.set_hook(None)
            assert pipeline.record(completion(request, b'{"body": ["first"]}')) == []

    failpoint.set_hook(end_between)
    try:
        assert pipeline.record(completion(request, b'{"body": ["second"]}')) == []
    finally:
        failpoint.set_hook(None)
    send_all(pipeline)
    assert [each.body for each in pipeline.sent_to(endpoint)] == [b'["first"]']
    delivery = pipeline.delivery(run, endpoint.endpoint_id)
    assert delivery is not None
    assert b"first" in pipeline.env[BodyStore].get(delivery)


@pytest.mark.parametrize("verdict", ["AC", "RE"])
def test_a_deletion_that_meets_an_end_removes_what_its_program_wrote(pipeline: Pipeline, verdict: str) -> None:
    endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    request = one_request(pipeline)

    def end_between(name: str) -> None:
        if name == "cancel.before_delivery":
            failpoint.set_hook(None)
            written = completion(request, b'{"body": "hidden"}', verdict=verdict, stderr=b"hidden")
            assert pipeline.record(written) == []

    failpoint.set_hook(end_between)
    try:
        pipeline.deliveries.cancel_event(run.submission_id)
    finally:
        failpoint.set_hook(None)
    rows = pipeline.aws.items("DeliveriesTable")
    assert [item for item in rows if "body_zlib" in item or "transform_failure" in item] == []
    pipeline.sweep(after_secs=300)
    send_all(pipeline)
    assert pipeline.receiver.received == []


def test_an_end_that_meets_a_deletion_writes_no_body(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    run = pipeline.run(webhook_url=None)
    send_all(pipeline)
    request = one_request(pipeline)

    def delete_between(name: str) -> None:
        if name == "complete.before_write":
            pipeline.deliveries.cancel_event(run.submission_id)

    failpoint.set_hook(delete_between)
    try:
        assert pipeline.record(completion(request, b'{"body": 1}')) == []
    finally:
        failpoint.set_hook(None)
    assert [item for item in pipeline.aws.items("DeliveriesTable") if "body_zlib" in item] == []
    assert pipeline.state(run, endpoint.endpoint_id) is DeliveryState.CANCELLED
    left = {item["pk"]["S"] for item in pipeline.aws.items("SubmissionsTable")}
    assert f"SUBMISSION#{request['submission_id']}" not in left


def test_a_test_that_nobody_waits_for_any_more_leaves_nothing(pipeline: Pipeline) -> None:
    clock = LongPoll(sleep=pipeline.time.advance, monotonic=lambda: pipeline.time() / 1000)
    pipeline.env.provide(long_poll, lambda _: clock)
    with pytest.raises(UnavailableError):
        pipeline.env[transform_runs].test("dev", PROGRAM, b"{}")
    assert pipeline.aws.items("SubmissionsTable") == []
    assert whole_usage(pipeline.aws, "dev").in_flight == 0
    (request,) = pipeline.aws.messages("InteractiveQueue")
    assert pipeline.record(completion(request, b"a" * 100_000)) == []
    assert pipeline.aws.items("SubmissionsTable") == []
    assert pipeline.aws.client("s3").list_objects_v2(Bucket=pipeline.env.settings.payloads_bucket)["KeyCount"] == 0


def test_a_test_that_ends_in_the_last_moment_is_answered(pipeline: Pipeline) -> None:
    class Late(LongPoll):
        def wait(self, row: Any, *_: Any) -> Any:
            (request,) = pipeline.aws.messages("InteractiveQueue")
            assert pipeline.record(completion(request, b'{"body": 1}')) == []
            return row

    pipeline.env.provide(long_poll, lambda _: Late())
    end = pipeline.env[transform_runs].test("dev", PROGRAM, b"{}")
    assert (end.verdict, end.stdout) == ("AC", b'{"body": 1}')
    assert pipeline.aws.items("SubmissionsTable") == []


def endless(request: dict[str, Any]) -> str:
    """Return a runner's answer to a program that has used its time."""
    message = json.loads(completion(request, verdict="TLE"))
    message["metrics"] |= {"wall_time_secs": 2.0, "cpu_time_secs": 2.0}
    return json.dumps(message)


def test_an_endless_transform_has_one_run_at_a_time_and_rests_while_others_go_on(pipeline: Pipeline) -> None:
    hostile = pipeline.endpoint(transform=Transform("python", "endless"))
    other = endpoint_of(pipeline)

    def begin() -> list[str]:
        """Let an event come, and return the programs that begin. Only those of the other endpoint end."""
        pipeline.run(webhook_url=None)
        send_all(pipeline)
        waiting = requests(pipeline)
        write_bodies(pipeline, [each for each in waiting if code_of(each) != "endless"])
        running.extend(each for each in waiting if code_of(each) == "endless")
        return [code_of(each) for each in waiting]

    running: list[dict[str, Any]] = []
    assert sorted(begin()) == ["endless", PROGRAM.code]
    pipeline.record(endless(running.pop()))
    pipeline.time.advance(5)
    for _ in range(4):
        assert begin() == [PROGRAM.code], "it rests"
    pipeline.time.advance(40)
    pipeline.sweep(after_secs=200)
    send_all(pipeline)
    (again,) = requests(pipeline)
    assert code_of(again) == "endless"
    for _ in range(3):
        assert begin() == [PROGRAM.code], "it has one run at a time"
        pipeline.time.advance(2)
    pipeline.record(endless(again))
    send_all(pipeline)
    assert len(pipeline.sent_to(other)) == 8
    assert pipeline.sent_to(hostile) == []


def test_a_sound_run_or_another_program_ends_the_rest_of_an_endpoint(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)

    def begin(events: int) -> list[dict[str, Any]]:
        for _ in range(events):
            pipeline.run(webhook_url=None)
        send_all(pipeline)
        return requests(pipeline)

    (first,) = begin(1)
    pipeline.record(endless(first))
    pipeline.time.advance(5)
    assert begin(1) == []
    change_program(pipeline, endpoint, "mended")
    pipeline.time.advance(5)
    (new,) = begin(100)
    assert code_of(new) == "mended", "a new program has one run at a time"
    write_bodies(pipeline, [new])
    pipeline.time.advance(5)
    found = begin(2)
    assert len(found) >= 2, "its last run was sound"
    pipeline.record(completion(found[0], verdict="RE"))
    pipeline.time.advance(5)
    assert len(begin(2)) == 1


def test_a_hint_that_comes_twice_finds_the_turn_of_its_run(pipeline: Pipeline) -> None:
    endpoint = endpoint_of(pipeline)
    pipeline.run(webhook_url=None)
    send_all(pipeline)
    pipeline.record(completion(one_request(pipeline), verdict="RE"))
    pipeline.time.advance(5)
    pipeline.run(webhook_url=None)
    hints = pipeline.hints()
    with crash_at("transform.before_begin"), pytest.raises(Crash):
        pipeline.webhook(*hints)
    pipeline.webhook(*hints)
    assert write_bodies(pipeline) == 1
    send_all(pipeline)
    assert len(pipeline.sent_to(endpoint)) == 1
