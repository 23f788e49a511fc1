"""/api/events, /api/event-types, /api/event-consumers and /api/event-samples through the entry point."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from functions.aws.clients import Clients
from functions.clock import now_ms, to_rfc3339
from functions.event_log.model import Event
from functions.feed.catalogue import samples
from functions.feed.poll import Poll
from functions.handlers import events as entry_point
from functions.http.json_body import LIST_MAX_BYTES
from functions.ids import new_id
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.publication import RunTarget, plan_publication
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.store import Subscribers
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.delivery_factory import put_delivery
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import Answer, Invocation, call, event, send
from tests.submission_factory import FakeTime, completion, new_submission

HOUR_MS = 3_600_000


@pytest.fixture
def submissions(aws: Aws, project_key: str) -> SubmissionStore:
    return SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb())


def final(store: SubmissionStore, age_ms: int, **changes: Any) -> str:
    """Write a final submission, accepted that long ago, without any event row; return its id."""
    submission_id, now = new_id(), now_ms()
    store.create(
        new_submission(
            submission_id=submission_id,
            project_id=changes.pop("project_id", PROJECT_ID),
            created_at=to_rfc3339(now - age_ms),
            ttl=now // 1000 + 86_400,
        ),
        None,
    )
    write_final(store, submission_id, completion(**{"completed_at": to_rfc3339(now - age_ms + 50)} | changes))
    return submission_id


def other(aws: Aws, age_ms: int, event_type: str = "check.state.changed", text: str = "") -> str:
    """Store an event without a submission as the outbox does it; return its id."""
    event_id, at = new_id(), now_ms() - age_ms
    body = {**samples()[event_type], "timestamp": to_rfc3339(at), "difference": text}
    event = Event(event_id, event_type, PROJECT_ID, json.dumps(body).encode())
    table = aws.names["DeliveriesTable"]
    plan = plan_publication(table, event, Subscribers(), None, at)
    assert DeliveryStore(table, Clients.dynamodb()).put_publication(plan)
    return event_id


def page(key: str, **query: str) -> Answer:
    answer = send(key, "GET", "/api/events", query=query)
    assert answer.status == 200, answer.raw
    return answer


def ids(key: str, **query: str) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    while True:
        body = page(key, **query).json
        found += [item["id"] for item in body["items"]]
        if body["next_cursor"] is None:
            return found
        query["cursor"] = body["next_cursor"]


def poll(key: str, **query: str) -> Any:
    answer = send(key, "GET", "/api/events/poll", query={"consumer": "mine"} | query)
    assert answer.status == 200, answer.raw
    return answer.json


def test_events_of_runs_and_others_are_listed_together_in_both_orders(
    aws: Aws, project_key: str, submissions: SubmissionStore
) -> None:
    expected = []
    for number in range(14):
        age_ms = (20 - number) * 1_000
        expected.append(other(aws, age_ms) if number % 3 == 0 else final(submissions, age_ms))
    final(submissions, 500, project_id="other")
    for limit in ("1", "4", "50"):
        assert ids(project_key, order="asc", limit=limit) == expected
        assert ids(project_key, limit=limit) == expected[::-1]


def test_an_event_of_a_run_without_a_target_has_the_body_of_a_webhook(
    project_key: str, submissions: SubmissionStore
) -> None:
    run = final(submissions, 1_000)
    (item,) = page(project_key).json["items"]
    result = send(project_key, "GET", f"/api/result/{run}").json
    assert item["data"] == {"type": "submission.completed", "timestamp": result["completed_at"], **result}
    assert (item["id"], item["type"], item["submission_id"]) == (run, "submission.completed", run)
    assert send(project_key, "GET", f"/api/events/{run}").json == item


def test_filters_select_events_by_type_and_time(aws: Aws, project_key: str, submissions: SubmissionStore) -> None:
    old, new = final(submissions, 2 * HOUR_MS), final(submissions, 1_000)
    check, disabled = other(aws, 2_000), other(aws, 3 * HOUR_MS, "endpoint.disabled")
    since = to_rfc3339(now_ms() - HOUR_MS)
    assert ids(project_key, type="submission.completed") == [new, old]
    assert ids(project_key, type="check.state.changed") == [check]
    assert ids(project_key, type="endpoint.disabled,submission.completed") == [new, old, disabled]
    assert ids(project_key, since=since) == [new, check]
    assert ids(project_key, since=since, order="asc", limit="1") == [check, new]
    assert ids(project_key, since=since.replace("Z", " 00:00")) == [new, check]  # an unescaped plus sign
    assert ids(project_key, submission_id=old) == [old]
    assert ids(project_key, submission_id=old, type="endpoint.disabled") == []
    assert ids(project_key, submission_id=new_id()) == []


def test_since_finds_a_run_that_was_accepted_long_before_its_end(
    project_key: str, submissions: SubmissionStore
) -> None:
    late = final(submissions, 5 * HOUR_MS, completed_at=to_rfc3339(now_ms() - 1_000))
    assert ids(project_key, since=to_rfc3339(now_ms() - 60_000)) == [late]


def test_undelivered_events_are_those_with_an_open_or_failed_delivery(aws: Aws, project_key: str) -> None:
    table, dynamodb = aws.names["DeliveriesTable"], Clients.dynamodb()
    made, start_ms = [], now_ms() - 10_000
    for number in range(7):
        event_id = new_id()
        body = json.dumps({"type": "submission.completed", "timestamp": "2026-11-24T12:00:00.000Z"}).encode()
        event = Event(event_id, "submission.completed", PROJECT_ID, body, event_id)
        own = RunTarget("https://hooks.example.com/", b"sealed")
        plan = plan_publication(table, event, Subscribers(), own, start_ms + number)
        assert DeliveryStore(table, dynamodb).put_publication(plan)
        made.append(event_id)
    for item in aws.items("DeliveriesTable"):
        if item["pk"]["S"].removeprefix("EVENT#") in made[:2] and "state" in item:
            state = "delivered" if item["pk"]["S"].endswith(made[0]) else "exhausted"
            dynamodb.put_item(TableName=table, Item={**item, "state": {"S": state}})
    other(aws, 10)
    for limit in ("1", "3", "50"):
        assert ids(project_key, delivered="false", limit=limit) == made[:0:-1]
        assert ids(project_key, delivered="false", limit=limit, order="asc") == made[1:]
    assert ids(project_key, delivered="false", since=to_rfc3339(start_ms + 3)) == made[:2:-1]


@pytest.mark.parametrize(
    "query",
    [
        {"type": "run.completed"},
        {"type": "submission.completed,x"},
        {"since": "yesterday"},
        {"since": "2026-11-24T12:00:00"},
        {"delivered": "true"},
        {"order": "newest"},
        {"submission_id": "x"},
        {"limit": "101"},
        {"cursor": "x"},
    ],
)
def test_a_wrong_parameter_is_refused(project_key: str, query: dict[str, str]) -> None:
    assert send(project_key, "GET", "/api/events", query=query).json["error"] == "bad_request"


@pytest.mark.parametrize(
    "query",
    [
        {"consumer": ""},
        {"consumer": "a b"},
        {"consumer": "x" * 65},
        {"consumer": "mine", "from": "now"},
        {"consumer": "mine", "include": "everything"},
        {"consumer": "mine", "wait": "21"},
        {"consumer": "mine", "cursor": "bm90aGluZw"},
        {"consumer": "mine", "type": "x"},
    ],
)
def test_a_wrong_parameter_of_a_poll_is_refused_and_makes_no_consumer(
    aws: Aws, project_key: str, query: dict[str, str]
) -> None:
    assert send(project_key, "GET", "/api/events/poll", query=query).json["error"] == "bad_request"
    assert aws.items("DeliveriesTable") == []


def test_a_cursor_of_another_project_is_refused(aws: Aws, project_key: str, submissions: SubmissionStore) -> None:
    final(submissions, 1_000)
    final(submissions, 2_000)
    from functions.http.parameters import write_cursor  # noqa: PLC0415 - only this test forges one

    for path, text in (("/api/events", f"{to_rfc3339(now_ms())}#{new_id()}"), ("/api/events/poll", "1")):
        query = {"consumer": "mine", "cursor": write_cursor("other", text)}
        assert send(project_key, "GET", path, query=query).status == 400


def test_a_page_of_large_bodies_is_cut_and_goes_on(aws: Aws, project_key: str) -> None:
    made = [other(aws, 20_000 - number, text="x" * 250_000) for number in range(18)]
    first = page(project_key, order="asc")
    assert len(first.raw) < LIST_MAX_BYTES + 100_000
    assert len(first.json["items"]) == 16
    assert ids(project_key, order="asc") == made


def test_a_page_of_quotation_marks_fits_into_the_response_of_lambda(aws: Aws, project_key: str) -> None:
    """Each of them takes two characters in a body, and four in Lambda's response."""
    made = [other(aws, 20_000 - number, text='"' * 120_000) for number in range(18)]
    first = page(project_key, order="asc")
    assert len(json.dumps(first.raw.decode())) < LIST_MAX_BYTES + 100_000
    assert ids(project_key, order="asc") == made


def test_an_unknown_event_is_not_found(project_key: str, submissions: SubmissionStore) -> None:
    foreign = final(submissions, 1_000, project_id="other")
    for event_id in (new_id(), foreign):
        assert send(project_key, "GET", f"/api/events/{event_id}").status == 404


def test_a_poll_over_http_commits_by_cursor_and_returns_each_event(aws: Aws, project_key: str) -> None:
    first = poll(project_key)
    assert first == {"items": [], "cursor": first["cursor"], "missed": 0}
    for kind in samples():
        assert send(project_key, "POST", "/api/event-samples", {"type": kind}).status == 200
    assert poll(project_key)["items"] == []
    sent = [item["id"] for item in poll(project_key, include="tests")["items"]]
    assert len(sent) == len(samples())
    found = poll(project_key, include="tests", limit="2")
    assert [item["id"] for item in found["items"]] == sent[:2]
    assert {item["reason"] for item in found["items"]} == {"test"}
    assert found["items"][-1]["cursor"] == found["cursor"]
    rest = poll(project_key, include="tests", cursor=found["items"][0]["cursor"])
    assert [item["id"] for item in rest["items"]] == sent[1:]
    assert poll(project_key, include="tests", cursor=rest["cursor"])["items"] == []


def test_a_sample_needs_a_consumer_and_a_known_type(project_key: str) -> None:
    answer = send(project_key, "POST", "/api/event-samples", {"type": "submission.completed"})
    assert (answer.status, "rustbox listen" in answer.json["message"]) == (409, True)
    assert send(project_key, "POST", "/api/event-samples", {"type": "x"}).status == 422


def test_a_sample_is_no_event_of_the_list_and_its_run_does_not_exist(project_key: str) -> None:
    poll(project_key)
    sample = send(project_key, "POST", "/api/event-samples", {"type": "submission.completed"}).json
    assert sample["data"]["id"] == sample["id"]
    assert ids(project_key) == []
    assert send(project_key, "GET", f"/api/events/{sample['id']}").json == sample
    assert send(project_key, "GET", f"/api/result/{sample['id']}").status == 404


def test_a_test_send_and_a_replay_reach_the_log(aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.webhooks.egress.socket.getaddrinfo", lambda *_, **__: [])
    endpoint = send(project_key, "POST", "/api/webhooks", {"url": "https://hooks.example.com/"}).json["id"]
    assert send(project_key, "POST", f"/api/webhooks/{endpoint}/test").status == 200
    poll(project_key)  # what was before the first consumer is nowhere
    tested = send(project_key, "POST", f"/api/webhooks/{endpoint}/test").json
    (item,) = poll(project_key, include="tests")["items"]
    assert item["id"] == tested["request"]["headers"]["webhook-id"]
    assert item["data"] == json.loads(tested["request"]["body"])


def test_a_recovered_delivery_comes_to_the_log_like_a_replay(aws: Aws, project_key: str) -> None:
    endpoint = send(project_key, "POST", "/api/webhooks", {"url": "https://hooks.example.com/"}).json["id"]
    delivery = put_delivery(aws, "exhausted", endpoint_id=endpoint)
    poll(project_key)
    for recovered in (1, 0):  # the second call finds nothing to recover
        body = {"since": to_rfc3339(now_ms() - 60_000)}
        answer = send(project_key, "POST", f"/api/webhooks/{endpoint}/recover", body)
        assert answer.json["recovered"] == recovered
    (item,) = poll(project_key, include="replays")["items"]
    assert (item["id"], item["reason"]) == (delivery.event_id, "replay")


def test_consumers_are_listed_and_deleted(project_key: str) -> None:
    poll(project_key)
    poll(project_key, consumer="second", include="tests")
    send(project_key, "POST", "/api/event-samples", {"type": "submission.completed"})
    poll(project_key, consumer="second", include="tests")
    listed = {one["name"]: one for one in send(project_key, "GET", "/api/event-consumers").json["items"]}
    assert listed.keys() == {"mine", "second"}
    assert {one["behind"] for one in listed.values()} == {1}
    assert send(project_key, "DELETE", "/api/event-consumers/second").json == {"name": "second", "deleted": True}
    assert send(project_key, "DELETE", "/api/event-consumers/second").status == 404


def test_a_poll_waits_no_longer_than_the_deployment_allows(aws: Aws, project_key: str) -> None:
    aws.monkeypatch.setenv("LONGEST_WAIT_SECS", "0")
    entry_point.ENV.forget()
    assert entry_point.ENV.settings.longest_wait_secs == 0
    assert poll(project_key, wait="20")["items"] == []


def test_a_poll_without_time_to_wait_is_answered_at_once(project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    time = FakeTime()
    monkeypatch.setitem(entry_point.ENV._parts, Poll, Poll(entry_point.ENV, time.sleep, time.monotonic))
    query = {"consumer": "mine", "wait": "20"}
    made = event("GET", "/api/events/poll", headers={"X-API-Key": project_key}, query=query)
    assert call(made, Invocation(lambda: 4 - sum(time.slept))).json["items"] == []
    assert sum(time.slept) == pytest.approx(3, abs=0.01)
    assert call(made, Invocation(lambda: 0.5)).json["items"] == []
    assert sum(time.slept) == pytest.approx(3, abs=0.01)


def test_the_catalogue_has_a_schema_that_its_example_fits(project_key: str) -> None:
    items = send(project_key, "GET", "/api/event-types").json["items"]
    assert [item["type"] for item in items] == sorted(samples())
    for item in items:
        Draft202012Validator.check_schema(item["schema"])
        Draft202012Validator(item["schema"]).validate(item["example"])
        assert item["example"]["type"] == item["type"]
