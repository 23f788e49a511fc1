"""/api/deliveries and the recovery of an endpoint, through the entry point."""

import base64
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.aws.dynamodb.items import from_item, to_item
from functions.aws.dynamodb.row_codec import write
from functions.aws.dynamodb.table import TRIES
from functions.clock import from_rfc3339, now_ms, to_rfc3339
from functions.handlers import webhooks as endpoints
from functions.http.parameters import write_cursor
from functions.ids import new_id
from functions.webhooks.deliveries import replay as deliveries_found
from functions.webhooks.deliveries import store
from functions.webhooks.deliveries.model import HINTED_MS, Delivery, DeliveryState, RecordedAttempt, TransformWait
from functions.webhooks.deliveries.publication import DeliveryHints
from functions.webhooks.deliveries.replay import REPLAYABLE
from functions.webhooks.deliveries.store import DeliveryStore, DueDelivery, queue_row
from functions.webhooks.endpoints.model import Transform
from functions.webhooks.endpoints.store import endpoint_key
from functions.webhooks.sending.lanes import FAILURES_TO_OPEN, lane_key
from functions.webhooks.vocabulary import Reply
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.busy_tables import refuse_transactions
from tests.adapters.delivery_factory import DAY_MS, hint_of, hints, name_of, put_attempt, put_delivery, raw_row
from tests.adapters.http_calls import Answer, send
from tests.adapters.pipeline import Crash, crash_at
from tests.submission_factory import SUBMISSION_ID

PATH = "/api/deliveries"
RECOVERABLE = ("exhausted", "paused", "blocked")
START = "2026-11-24T12:00:00.000Z"
START_MS = from_rfc3339(START)


@pytest.fixture
def endpoint_id(project_key: str) -> str:
    """An endpoint of the project."""
    made = send(project_key, "POST", "/api/webhooks", {"url": "https://hooks.example.com/"})
    return str(made.json["id"])


@pytest.fixture
def deliveries(aws: Aws) -> DeliveryStore:
    return DeliveryStore(aws.names["DeliveriesTable"], Clients.dynamodb())


def listed(key: str, **query: str) -> list[str]:
    answer = send(key, "GET", PATH, query=query)
    assert answer.status == 200, answer.raw
    return [item["id"] for item in answer.json["items"]]


def stored(deliveries: DeliveryStore, delivery: Delivery) -> Delivery:
    found = deliveries.get_delivery(delivery.event_id, delivery.endpoint_id)
    assert found is not None
    return found


# --- why a delivery waits -------------------------------------------------------------------------------------------


def waiting_of(key: str, delivery: Delivery) -> Any:
    return send(key, "GET", f"{PATH}/{name_of(delivery)}").json["waiting"]


def put_rows(aws: Aws, *rows: Any) -> None:
    for row in rows:
        aws.client("dynamodb").put_item(TableName=aws.names["DeliveriesTable"], Item=to_item(row))


def put_lane(aws: Aws, name: str, **values: Any) -> None:
    put_rows(aws, from_item(lane_key(PROJECT_ID, name)) | {"host": "hooks.example.com"} | values)


@pytest.mark.parametrize(
    ("state", "in_ms", "reason"),
    [
        ("retrying", 60_000, "scheduled"),
        ("pending", 60_000, "scheduled"),
        ("paused", 0, "endpoint_disabled"),
        ("pending", 0, None),
        ("delivered", 0, None),
        ("exhausted", 60_000, None),
    ],
)
def test_a_delivery_says_what_its_row_knows(
    aws: Aws, project_key: str, endpoint_id: str, state: str, in_ms: int, reason: str | None
) -> None:
    at_ms = now_ms() + in_ms
    found = waiting_of(project_key, put_delivery(aws, state, endpoint_id=endpoint_id, next_at_ms=at_ms))
    assert (None if found is None else found["reason"]) == reason
    if reason == "scheduled":
        assert found["until"] == to_rfc3339(at_ms)


@pytest.mark.parametrize(
    ("in_ms", "wait", "reason"),
    [
        (0, None, "transform"),
        (60_000, None, "scheduled"),
        (60_000, TransformWait(0, for_quota=True), "quota"),
        (60_000, TransformWait(0, for_quota=False), "transform"),
    ],
)
def test_a_delivery_says_why_its_transform_does_not_run(
    aws: Aws, project_key: str, endpoint_id: str, in_ms: int, wait: TransformWait | None, reason: str
) -> None:
    row: dict[str, Any] = {"next_at_ms": now_ms() + in_ms, "transform_wait": wait}
    found = waiting_of(project_key, put_delivery(aws, "transforming", endpoint_id=endpoint_id, **row))
    assert found == {"reason": reason, **({"until": to_rfc3339(row["next_at_ms"])} if in_ms else {})}


@pytest.mark.parametrize("probe_in_ms", [90_000, -1_000])
def test_a_delivery_says_until_when_a_circuit_breaker_is_open(aws: Aws, project_key: str, probe_in_ms: int) -> None:
    delivery, begun = put_delivery(aws, "pending"), now_ms()
    put_lane(aws, "run#hooks.example.com", failures=2)
    assert waiting_of(project_key, delivery) is None
    put_lane(aws, "run#hooks.example.com", failures=FAILURES_TO_OPEN, probe_at_ms=begun + probe_in_ms)
    found = waiting_of(project_key, delivery)
    assert found["reason"] == "breaker_open"
    assert from_rfc3339(found["until"]) >= begun + max(probe_in_ms, 0)


def test_a_parked_delivery_says_how_many_are_before_it(aws: Aws, project_key: str, endpoint_id: str) -> None:
    put_lane(aws, endpoint_id, waiting_ms=now_ms())
    parked = []
    for number in range(4):
        parked.append(put_delivery(aws, "pending", endpoint_id=endpoint_id, lane_at_ms=START_MS + number))
        row = from_item(raw_row(aws, parked[-1])) | {"lane_ref": f"{PROJECT_ID}#{endpoint_id}"}
        put_rows(aws, row)
    assert waiting_of(project_key, parked[0]) == {"reason": "slot", "behind": 0}
    assert waiting_of(project_key, parked[3]) == {"reason": "slot", "behind": 3}


def test_a_delivery_of_an_ordered_endpoint_says_how_many_are_before_it(aws: Aws, project_key: str) -> None:
    body = {"url": "https://hooks.example.com/", "ordered": True}
    endpoint_id = str(send(project_key, "POST", "/api/webhooks", body).json["id"])
    ordered = [put_delivery(aws, "pending", endpoint_id=endpoint_id, age_ms=1_000 - number) for number in range(3)]
    put_rows(aws, *(queue_row(delivery, 2_000_000_000) for delivery in ordered))
    assert waiting_of(project_key, ordered[2]) == {"reason": "order", "behind": 2}
    assert waiting_of(project_key, ordered[0]) is None
    put_lane(aws, endpoint_id, failures=FAILURES_TO_OPEN, probe_at_ms=now_ms() + 90_000)
    assert waiting_of(project_key, ordered[0])["reason"] == "breaker_open"


def test_reasons_cost_a_list_nothing_and_one_delivery_a_read(aws: Aws, project_key: str, endpoint_id: str) -> None:
    client, calls = aws.client("dynamodb"), list[str]()

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    def cost(path: str) -> list[str]:
        calls.clear()
        assert send(project_key, "GET", path).status == 200
        return sorted(calls)

    client.meta.events.register("before-call", note)
    try:
        later = put_delivery(aws, "pending", endpoint_id=endpoint_id, next_at_ms=now_ms() + 60_000)
        listing = cost(PATH)
        due = put_delivery(aws, "pending", endpoint_id=endpoint_id)
        assert cost(PATH) == listing
        one = cost(f"{PATH}/{name_of(later)}")
        assert cost(f"{PATH}/{name_of(due)}") == sorted([*one, "GetItem"])
    finally:
        client.meta.events.unregister("before-call", note)


# --- lists ----------------------------------------------------------------------------------------------------------


def test_deliveries_are_listed_newest_first_and_nothing_else_is(aws: Aws, project_key: str, endpoint_id: str) -> None:
    made = [put_delivery(aws, age_ms=10 - number, endpoint_id=endpoint_id) for number in range(3)]
    put_attempt(aws, made[0], Reply(5, 500))
    put_delivery(aws, project_id="other", endpoint_id=endpoint_id)
    expected = [name_of(delivery) for delivery in reversed(made)]
    assert listed(project_key) == expected
    assert listed(project_key, endpoint_id=endpoint_id) == expected


def test_each_item_names_its_event_and_its_target(aws: Aws, project_key: str) -> None:
    delivery = put_delivery(aws, "retrying", attempt=3, next_at_ms=from_rfc3339(START), created_at=START)
    notice = put_delivery(aws, "pending", submission_id="", event_type="endpoint.disabled")
    newest, oldest = send(project_key, "GET", PATH).json["items"]
    assert oldest == {
        "id": name_of(delivery),
        "webhook_id": delivery.event_id,
        "type": "submission.completed",
        "endpoint_id": "run",
        "submission_id": delivery.event_id,
        "state": "retrying",
        "attempts_made": 3,
        "next_attempt_at": START,
        "created_at": START,
        "last_attempt": None,
    }
    assert (newest["id"], newest["type"], newest["submission_id"]) == (name_of(notice), "endpoint.disabled", None)


def test_each_item_has_the_end_of_its_last_attempt(aws: Aws, project_key: str) -> None:
    first = RecordedAttempt(1, START, 7, 204)
    at_once = put_delivery(aws, "delivered", attempt=1, only_attempt=first)
    retrying, exhausted = (put_delivery(aws, state, attempt=n) for state, n in (("retrying", 1), ("exhausted", 2)))
    put_attempt(aws, retrying, Reply(5, 500, head=b"secret text"))
    put_attempt(aws, exhausted, Reply(5, 500))
    put_attempt(aws, exhausted, Reply(9, error_code="timeout"), number=2)
    answer = send(project_key, "GET", PATH)
    last = {item["id"]: item["last_attempt"] for item in answer.json["items"]}
    assert last[name_of(at_once)] == {"at": START, "status_code": 204, "error_code": None, "latency_ms": 7}
    assert [last[name_of(retrying)][name] for name in ("status_code", "latency_ms")] == [500, 5]
    assert [last[name_of(exhausted)][name] for name in ("error_code", "latency_ms")] == ["timeout", 9]
    assert b"secret" not in answer.raw


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
@pytest.mark.parametrize("by", ["", "endpoint", "submission"])
def test_pages_meet_without_gap_or_repeat(aws: Aws, project_key: str, limit: int, by: str) -> None:
    event_id, endpoint_id = new_id(), new_id()
    for number in range(5):
        # Those of one run differ in the endpoint, and have one time.
        changes = {"event_id": event_id, "endpoint_id": new_id()} if by == "submission" else {"age_ms": number // 2}
        put_delivery(aws, **{"endpoint_id": endpoint_id} | changes)
    query = {"limit": str(limit)}
    query |= {"endpoint": {"endpoint_id": endpoint_id}, "submission": {"submission_id": event_id}}.get(by, {})
    seen: list[str] = []
    while True:
        page = send(project_key, "GET", PATH, query=query).json
        seen += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= limit
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5


def test_a_list_has_only_deliveries_that_pass_every_filter(aws: Aws, project_key: str) -> None:
    run, ours, other = new_id(), new_id(), new_id()
    first = put_delivery(aws, "delivered", event_id=run)
    second = put_delivery(aws, "exhausted", event_id=run, endpoint_id=ours)
    third = put_delivery(aws, "delivered", endpoint_id=ours)
    put_delivery(aws, "delivered", endpoint_id=other)
    assert set(listed(project_key, submission_id=run)) == {name_of(first), name_of(second)}
    assert listed(project_key, submission_id=run.upper(), endpoint_id=ours) == [name_of(second)]
    assert listed(project_key, submission_id=run, state="delivered") == [name_of(first)]
    assert listed(project_key, endpoint_id=ours, state="delivered") == [name_of(third)]
    assert listed(project_key, endpoint_id="run") == [name_of(first)]
    assert listed(project_key, endpoint_id=new_id()) == []
    assert listed(project_key, submission_id=new_id()) == []
    assert len(listed(project_key, state="delivered")) == 3


def test_an_expired_delivery_is_neither_listed_nor_shown(aws: Aws, project_key: str) -> None:
    expired = put_delivery(aws, ttl=now_ms() // 1_000, age_ms=25 * DAY_MS)
    assert listed(project_key) == []
    assert listed(project_key, endpoint_id="run") == []
    assert listed(project_key, submission_id=expired.event_id) == []
    assert send(project_key, "GET", f"{PATH}/{name_of(expired)}").status == 404


def test_a_rare_state_reads_a_bounded_number_and_goes_on(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries_found, "_ITEMS_PER_QUERY", 1)
    monkeypatch.setattr(store, "LIST_SHARDS", 1)  # the bound is that of each partition
    made = [put_delivery(aws, "blocked" if number == 0 else "delivered", age_ms=8 - number) for number in range(8)]
    first = send(project_key, "GET", PATH, query={"state": "blocked"}).json
    assert first["items"] == []
    second = send(project_key, "GET", PATH, query={"state": "blocked", "cursor": first["next_cursor"]}).json
    assert [item["id"] for item in second["items"]] == [name_of(made[0])]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        *({"state": "x"}, {"limit": "0"}, {"endpoint_id": "x"}, {"submission_id": "run"}, {"cursor": "x"}),
        {"cursor": write_cursor(PROJECT_ID, f"{START}#{SUBMISSION_ID}")},  # one of the list of results
        {"cursor": write_cursor("other", f"{START}#{SUBMISSION_ID}.run")},
        {"cursor": write_cursor(PROJECT_ID, f"{START}#{SUBMISSION_ID}.run\n")},
        {"cursor": write_cursor(PROJECT_ID, f"{START}#{SUBMISSION_ID}.x")},
    ],
)
def test_a_wrong_parameter_is_a_bad_request(project_key: str, query: dict[str, str]) -> None:
    assert send(project_key, "GET", PATH, query=query).status == 400


def test_since_lists_deliveries_created_since_then(aws: Aws, project_key: str, endpoint_id: str) -> None:
    now = now_ms()
    made = [
        put_delivery(aws, endpoint_id=endpoint_id, created_at=to_rfc3339(now - age_ms), submission_id=SUBMISSION_ID)
        for age_ms in (3_000, 2_000, 1_000)
    ]
    newest_first = [name_of(delivery) for delivery in reversed(made)]
    for query in ({}, {"endpoint_id": endpoint_id}, {"state": made[0].state.value}):
        assert listed(project_key, since=to_rfc3339(now - 2_000), **query) == newest_first[:2]
        assert listed(project_key, since=to_rfc3339(now), **query) == []
    by_event = [one for one in newest_first if one.startswith(made[2].event_id)]
    assert listed(project_key, since=to_rfc3339(now - 1_000), submission_id=made[2].event_id) == by_event
    assert listed(project_key, since=to_rfc3339(now - 999), submission_id=made[2].event_id) == []
    first = send(project_key, "GET", PATH, query={"limit": "2"}).json
    later = {"cursor": first["next_cursor"], "since": to_rfc3339(now - 1_000)}
    assert send(project_key, "GET", PATH, query=later).json == {"items": [], "next_cursor": None}
    assert send(project_key, "GET", PATH, query={"since": "yesterday"}).status == 400


def test_a_cursor_of_one_filter_may_be_used_with_another(aws: Aws, project_key: str) -> None:
    made = [put_delivery(aws, age_ms=9 - number) for number in range(3)]
    cursor = write_cursor(PROJECT_ID, f"{made[1].created_at}#{name_of(made[1])}")
    for query in ({}, {"endpoint_id": "run"}, {"submission_id": made[0].event_id}, {"state": "exhausted"}):
        assert listed(project_key, cursor=cursor, **query) == [name_of(made[0])]


# --- one delivery ---------------------------------------------------------------------------------------------------


def test_a_delivery_shows_its_attempts_in_order(aws: Aws, project_key: str) -> None:
    delivery = put_delivery(aws, attempt=2)
    put_attempt(aws, delivery, Reply(7, 500, head="né".encode(), address="192.0.2.7"), 1)
    put_attempt(aws, delivery, Reply(15_000, error_code="timeout", head=b"\xff\0"), 2)
    answer = send(project_key, "GET", f"{PATH}/{name_of(delivery)}")
    first, second = answer.json["attempts"]
    assert (first.pop("at"), second.pop("at")) > ("", "")
    assert first == {
        "n": 1,
        "status_code": 500,
        "error_code": None,
        "latency_ms": 7,
        "address": "192.0.2.7",
        "head": "né",
        "head_base64": None,
    }
    assert (second["n"], second["status_code"], second["error_code"]) == (2, None, "timeout")
    assert (second["head"], base64.b64decode(second["head_base64"])) == ("\ufffd\0", b"\xff\0")
    assert "very-hidden" not in answer.raw.decode()


@pytest.mark.parametrize(
    "text", ["x", SUBMISSION_ID, f"{SUBMISSION_ID}.x", f"{SUBMISSION_ID}.run.run", "..", "run.run"]
)
def test_an_id_that_names_no_delivery_is_a_bad_request(project_key: str, text: str) -> None:
    for method, suffix in (("GET", ""), ("POST", "/replay")):
        assert send(project_key, method, f"{PATH}/{text}{suffix}").status == 400


def test_of_many_attempts_the_last_hundred_are_shown(aws: Aws, project_key: str) -> None:
    delivery = put_delivery(aws, attempt=103)
    for number in range(1, 104):
        put_attempt(aws, delivery, Reply(1, 500, head=b"\0" * 1_024), number)
    answer = send(project_key, "GET", f"{PATH}/{name_of(delivery)}")
    assert [attempt["n"] for attempt in answer.json["attempts"]] == list(range(4, 104))
    assert len(answer.raw) < 1_000_000


def test_an_unknown_and_a_foreign_delivery_get_the_same_error(aws: Aws, project_key: str) -> None:
    foreign = put_delivery(aws, project_id="other")
    before = raw_row(aws, foreign)
    for method, suffix in (("GET", ""), ("POST", "/replay")):
        answers = [
            send(project_key, method, f"{PATH}/{name}{suffix}") for name in (name_of(foreign), f"{new_id()}.run")
        ]
        assert [answer.status for answer in answers] == [404, 404]
        assert answers[0].raw == answers[1].raw
    assert raw_row(aws, foreign) == before
    assert hints(aws) == []


# --- replay ---------------------------------------------------------------------------------------------------------


def replay(key: str, delivery: Delivery) -> Answer:
    return send(key, "POST", f"{PATH}/{name_of(delivery)}/replay")


@pytest.mark.parametrize("state", sorted(REPLAYABLE))
@pytest.mark.parametrize("to", ["run", "endpoint"])
def test_a_finished_delivery_is_replayed(
    aws: Aws, project_key: str, endpoint_id: str, deliveries: DeliveryStore, state: str, to: str
) -> None:
    before = put_delivery(aws, state, endpoint_id="run" if to == "run" else endpoint_id, attempt=4)
    put_attempt(aws, before, Reply(7, 500), 4)
    answer = replay(project_key, before)
    assert (answer.status, answer.json["state"], answer.json["attempts_made"]) == (202, "pending", 4)
    assert [attempt["n"] for attempt in answer.json["attempts"]] == [4]
    after = stored(deliveries, before)
    assert (after.state, after.attempt, after.scheduled_attempts) == (DeliveryState.PENDING, 4, 0)
    assert after.lane_at_ms is None
    assert (after.url, after.secret_box) == (before.url, before.secret_box)
    assert hints(aws) == [hint_of(before)]
    due = [entry for shard in range(16) for entry in deliveries.due(f"DUE#{shard}", now_ms() + HINTED_MS, 10)]
    assert due == [DueDelivery(before.event_id, before.endpoint_id, due[0].due_at_ms)]
    again = replay(project_key, before)
    assert (again.status, again.json["error"]) == (409, "conflict")
    assert hints(aws) == []


def test_what_was_delivered_as_the_event_is_replayed_by_a_transform_only_if_asked_for(
    aws: Aws, project_key: str, endpoint_id: str, deliveries: DeliveryStore
) -> None:
    key = endpoint_key(PROJECT_ID, endpoint_id)
    row = aws.client("dynamodb").get_item(TableName=aws.names["DeliveriesTable"], Key=key)["Item"]
    put_rows(aws, from_item(row) | {"transform": write(Transform("python", "print(1)"))})
    before = put_delivery(aws, "delivered", endpoint_id=endpoint_id, attempt=1, body_digest=b"1")
    refused = replay(project_key, before)
    assert (refused.status, "transform: again" in refused.json["message"]) == (409, True)
    assert stored(deliveries, before) == before
    path = f"{PATH}/{name_of(before)}/replay"
    assert send(project_key, "POST", path, {"transform": "again"}).json["state"] == "transforming"
    failed = put_delivery(aws, "exhausted", endpoint_id=endpoint_id, attempt=1)
    assert replay(project_key, failed).json["state"] == "transforming"
    written = put_delivery(aws, "delivered", endpoint_id=endpoint_id, attempt=1, body_digest=b"1", is_transformed=True)
    assert replay(project_key, written).json["state"] == "pending"
    assert stored(deliveries, written).is_transformed


@pytest.mark.parametrize("state", ["pending", "sending"])
def test_a_delivery_that_is_about_to_be_sent_is_not_replayed(aws: Aws, project_key: str, state: str) -> None:
    delivery = put_delivery(aws, state)
    before = raw_row(aws, delivery)
    answer = replay(project_key, delivery)
    assert (answer.status, answer.json["error"]) == (409, "conflict")
    assert "already" in answer.json["message"]
    assert raw_row(aws, delivery) == before


def test_a_delivery_with_an_unfinished_attempt_is_not_replayed(aws: Aws, project_key: str, endpoint_id: str) -> None:
    delivery = put_delivery(aws, attempt=1_000, endpoint_id=endpoint_id)
    before = raw_row(aws, delivery)
    assert replay(project_key, delivery).status == 409
    assert recover(project_key, endpoint_id, now_ms() - 60_000).json["recovered"] == 0
    assert raw_row(aws, delivery) == before


@pytest.mark.parametrize("gone", ["deleted", "expired", "never there", "too old"])
def test_without_its_bytes_nothing_is_replayed(
    aws: Aws, project_key: str, deliveries: DeliveryStore, gone: str
) -> None:
    delivery = put_delivery(aws, "delivered", age_ms=14 * DAY_MS if gone == "too old" else 0)
    table, key = aws.names["DeliveriesTable"], {"pk": {"S": f"EVENT#{delivery.event_id}"}, "sk": {"S": "EVENT"}}
    if gone == "deleted":
        deliveries.cancel_event(delivery.event_id)
    elif gone == "expired":
        aws.client("dynamodb").update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET #ttl = :past",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={":past": {"N": str(now_ms() // 1_000)}},
        )
    elif gone == "never there":
        aws.client("dynamodb").delete_item(TableName=table, Key=key)
    before = raw_row(aws, delivery)
    answer = replay(project_key, delivery)
    assert (answer.status, "gone" in answer.json["message"]) == (409, True)
    assert raw_row(aws, delivery) == before
    assert hints(aws) == []


@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_an_endpoint_that_is_off_gets_no_replay(aws: Aws, project_key: str, endpoint_id: str, how: str) -> None:
    delivery = put_delivery(aws, "paused", endpoint_id=endpoint_id)
    before = raw_row(aws, delivery)
    if how == "disabled":
        send(project_key, "PATCH", f"/api/webhooks/{endpoint_id}", {"enabled": False})
    else:
        send(project_key, "DELETE", f"/api/webhooks/{endpoint_id}")
        before = raw_row(aws, delivery)  # cancelled by the deletion
    answer = replay(project_key, delivery)
    assert (answer.status, "endpoint" in answer.json["message"]) == (409, True)
    assert raw_row(aws, delivery) == before
    assert listed(project_key, endpoint_id=endpoint_id) == [name_of(delivery)]


def test_a_replay_whose_hint_is_lost_is_due(
    aws: Aws, project_key: str, deliveries: DeliveryStore, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    delivery = put_delivery(aws)

    def refuse(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": ""}}, "SendMessage")

    monkeypatch.setattr(DeliveryHints, "send", refuse)
    assert replay(project_key, delivery).status == 202
    assert stored(deliveries, delivery).state == DeliveryState.PENDING
    assert "due_at_ms" in raw_row(aws, delivery)
    assert logged[-1]["level"] == "WARNING"


def test_a_crash_between_row_and_hint_leaves_the_row_due(aws: Aws, project_key: str) -> None:
    delivery = put_delivery(aws)
    with crash_at("replay.after_write"), pytest.raises(Crash):
        replay(project_key, delivery)
    assert raw_row(aws, delivery)["state"] == {"S": "pending"}
    assert "due_at_ms" in raw_row(aws, delivery)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
def test_a_replay_of_a_busy_delivery_is_tried_again_and_not_for_ever(aws: Aws, project_key: str, code: str) -> None:
    first, second = put_delivery(aws), put_delivery(aws)
    codes = refuse_transactions(aws.monkeypatch)
    codes += [code] * 3
    assert replay(project_key, first).status == 202
    codes += [code] * 100
    assert replay(project_key, second).status == 503
    assert len(codes) == 100 - TRIES


def test_a_replay_that_meets_another_one_gets_a_clear_error(aws: Aws, project_key: str) -> None:
    codes = refuse_transactions(aws.monkeypatch)
    codes += ["ConditionalCheckFailed"]
    assert replay(project_key, put_delivery(aws)).status == 409


# --- recovery -------------------------------------------------------------------------------------------------------


def recover(key: str, endpoint_id: str, since_ms: int, **more: bool) -> Answer:
    return send(key, "POST", f"/api/webhooks/{endpoint_id}/recover", {"since": to_rfc3339(since_ms)} | more)


def test_deliveries_that_failed_or_paused_since_then_are_due_again(
    aws: Aws, project_key: str, endpoint_id: str, deliveries: DeliveryStore
) -> None:
    since_ms = now_ms() - 60_000
    failed = [put_delivery(aws, state, endpoint_id=endpoint_id, age_ms=30_000, attempt=2) for state in RECOVERABLE]
    others = [
        *(put_delivery(aws, state, endpoint_id=endpoint_id) for state in set(DeliveryState) - set(RECOVERABLE)),
        put_delivery(aws, endpoint_id=endpoint_id, age_ms=60_001 + DAY_MS),
        put_delivery(aws, endpoint_id=new_id()),
        put_delivery(aws),
        put_delivery(aws, endpoint_id=endpoint_id, project_id="other"),
    ]
    before = [raw_row(aws, delivery) for delivery in others]
    answer = recover(project_key, endpoint_id, since_ms)
    assert answer.json == {"recovered": 3, "complete": True, "continue_since": None}
    for delivery in failed:
        after = stored(deliveries, delivery)
        assert (after.state, after.attempt, after.scheduled_attempts) == (DeliveryState.PENDING, 2, 0)
        assert "due_shard" in raw_row(aws, delivery)
    assert [raw_row(aws, delivery) for delivery in others] == before
    assert sorted(hints(aws)) == sorted(map(hint_of, failed))
    assert recover(project_key, endpoint_id, since_ms).json["recovered"] == 0
    assert hints(aws) == []


def test_deliveries_that_wait_for_a_retry_are_recovered_if_asked_for(
    aws: Aws, project_key: str, endpoint_id: str, deliveries: DeliveryStore
) -> None:
    since_ms = now_ms() - 60_000
    waiting = put_delivery(
        aws, "retrying", endpoint_id=endpoint_id, age_ms=30_000, attempt=4, next_at_ms=now_ms() + DAY_MS
    )
    assert recover(project_key, endpoint_id, since_ms, retrying=False).json["recovered"] == 0
    assert recover(project_key, endpoint_id, since_ms, retrying=True).json["recovered"] == 1
    after = stored(deliveries, waiting)
    assert (after.state, after.attempt, after.scheduled_attempts) == (DeliveryState.PENDING, 4, 0)
    assert after.next_at_ms <= now_ms()
    assert hints(aws) == [hint_of(waiting)]


def test_the_bound_is_part_of_the_time(aws: Aws, project_key: str, endpoint_id: str) -> None:
    at_ms = now_ms() - 60_000
    put_delivery(aws, endpoint_id=endpoint_id, created_at=to_rfc3339(at_ms))
    assert recover(project_key, endpoint_id, at_ms + 1).json["recovered"] == 0
    assert recover(project_key, endpoint_id, at_ms).json["recovered"] == 1


def test_a_disabled_endpoint_is_not_recovered(aws: Aws, project_key: str, endpoint_id: str) -> None:
    delivery = put_delivery(aws, "paused", endpoint_id=endpoint_id)
    send(project_key, "PATCH", f"/api/webhooks/{endpoint_id}", {"enabled": False})
    answer = recover(project_key, endpoint_id, now_ms() - 60_000)
    assert (answer.status, "enabled" in answer.json["message"]) == (409, True)
    assert raw_row(aws, delivery)["state"] == {"S": "paused"}


@pytest.mark.parametrize(
    "body", [{}, {"since": None}, {"since": "yesterday"}, {"since": 0}, {"since": "2020-01-01T00:00:00Z"}]
)
def test_a_wrong_time_is_refused(project_key: str, endpoint_id: str, body: dict[str, Any]) -> None:
    assert send(project_key, "POST", f"/api/webhooks/{endpoint_id}/recover", body).status == 422
    assert send(project_key, "POST", f"/api/webhooks/{endpoint_id}/recover").status == 415


def with_clock(monkeypatch: pytest.MonkeyPatch, step_ms: int) -> None:
    """Let each look at the clock of a recovery cost so much time."""
    now = [now_ms()]

    def clock() -> int:
        now[0] += step_ms
        return now[0]

    monkeypatch.setattr(endpoints.ENV, "clock", clock)


@pytest.mark.parametrize("page", [2, 500])
def test_a_long_recovery_says_how_far_it_came_and_goes_on(
    aws: Aws, project_key: str, endpoint_id: str, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(deliveries_found, "_ITEMS_PER_QUERY", page)
    made = [put_delivery(aws, endpoint_id=endpoint_id, age_ms=50_000 - number) for number in range(9)]
    with_clock(monkeypatch, 3_000)
    since_ms, counts, calls = now_ms() - 60_000, [], 0
    while True:
        answer = recover(project_key, endpoint_id, since_ms).json
        counts.append(answer["recovered"])
        calls += 1
        assert answer["complete"] == (answer["continue_since"] is None)
        if answer["complete"]:
            break
        assert from_rfc3339(answer["continue_since"]) > since_ms
        since_ms = from_rfc3339(answer["continue_since"])
    assert calls > 1
    assert sum(counts) == len(made)
    assert sorted(hints(aws)) == sorted(map(hint_of, made))


def test_many_go_out_spread_over_time(aws: Aws, project_key: str, endpoint_id: str) -> None:
    made = [put_delivery(aws, endpoint_id=endpoint_id, age_ms=50_000 - number) for number in range(101)]
    began_ms = now_ms()
    assert recover(project_key, endpoint_id, began_ms - 60_000).json["recovered"] == 101
    delays = [int(raw_row(aws, delivery)["next_at_ms"]["N"]) - began_ms for delivery in made]
    assert delays[50] - delays[0] >= 1_000
    assert delays[100] >= 2_000
    assert set(hints(aws)) >= {hint_of(delivery) for delivery in made[:50]}


def test_a_crash_in_mid_recovery_loses_nothing(
    aws: Aws, project_key: str, endpoint_id: str, deliveries: DeliveryStore
) -> None:
    made = [put_delivery(aws, endpoint_id=endpoint_id, age_ms=50_000 - number) for number in range(3)]
    since_ms = now_ms() - 60_000
    with crash_at("recover.after_write"), pytest.raises(Crash):
        recover(project_key, endpoint_id, since_ms)
    assert recover(project_key, endpoint_id, since_ms).json["recovered"] == 2
    assert {stored(deliveries, delivery).state for delivery in made} == {DeliveryState.PENDING}
    assert all("due_at_ms" in raw_row(aws, delivery) for delivery in made)


def test_a_delivery_that_changed_after_the_index_read_is_left_alone(
    aws: Aws, project_key: str, endpoint_id: str, deliveries: DeliveryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = put_delivery(aws, endpoint_id=endpoint_id)
    stale = stored(deliveries, delivery)
    deliveries.cancel_event(delivery.event_id)
    aws.client("dynamodb").update_item(
        TableName=aws.names["DeliveriesTable"],
        Key={"pk": {"S": f"EVENT#{delivery.event_id}"}, "sk": {"S": f"DELIVERY#{endpoint_id}"}},
        UpdateExpression="SET #state = :cancelled",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":cancelled": {"S": "cancelled"}},
    )
    monkeypatch.setattr(deliveries_found.DeliveryList, "recoverable", lambda *_: iter([([stale], ""), ([stale], "")]))
    assert recover(project_key, endpoint_id, now_ms() - 60_000).json["recovered"] == 0
    assert raw_row(aws, delivery)["state"] == {"S": "cancelled"}
