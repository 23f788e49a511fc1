"""/api/webhooks through the entry point, with real requests to real receivers."""

import base64
import json
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.clock import now_ms, to_rfc3339
from functions.handlers import webhooks as endpoints
from functions.ids import new_id
from functions.webhooks.egress import Egress
from functions.webhooks.endpoints.model import DISABLE_AFTER_MS, MAX_ENDPOINTS, Endpoint
from functions.webhooks.endpoints.store import EndpointStore, endpoint_key
from functions.webhooks.sealed_secrets import EndpointSecrets
from functions.webhooks.signature import parse_secret
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.delivery_factory import put_delivery, raw_row
from tests.adapters.hook_receiver import HookReceiver
from tests.adapters.http_calls import Answer, call, event, send
from tests.chat_shapes import problems, texts
from tests.submission_factory import SUBMISSION_ID

URL = "https://hooks.example.com/x?token=very-hidden"
ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/api/webhooks"


def overwrite(store: EndpointStore, endpoint_id: str, sets: Mapping[str, Any], removes: tuple[str, ...] = ()) -> None:
    """Write attributes as another revision or a sender would, past the store."""
    update = ConditionalUpdate(sets, "attribute_exists(#pk)", {}, removes)
    assert store._update_unread(update, endpoint_key(PROJECT_ID, endpoint_id))


@pytest.fixture
def insecure(aws: Aws) -> None:
    """A local stage, whose webhooks may name this machine."""
    aws.monkeypatch.setenv("STAGE", "local")
    aws.monkeypatch.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "true")


def create(key: str, **fields: Any) -> dict[str, Any]:
    answer = send(key, "POST", PATH, {"url": URL, **fields})
    assert answer.status == 200, answer.raw
    body: dict[str, Any] = answer.json
    return body


def one(key: str, endpoint_id: str) -> dict[str, Any]:
    body: dict[str, Any] = send(key, "GET", f"{PATH}/{endpoint_id}").json
    return body


def change(key: str, endpoint_id: str, **fields: Any) -> Answer:
    return send(key, "PATCH", f"{PATH}/{endpoint_id}", fields)


def row(store: EndpointStore, endpoint_id: str) -> Endpoint:
    found = store.get(PROJECT_ID, endpoint_id)
    assert found is not None
    return found


def opened(endpoint: Endpoint) -> dict[str, str]:
    return endpoints.ENV[EndpointSecrets].headers(endpoint)


def text_of(aws: Aws) -> str:
    return repr(aws.items("DeliveriesTable"))


# --- creation -------------------------------------------------------------------------------------------------------


def test_the_secret_is_shown_once_and_stored_sealed(aws: Aws, project_key: str, logged: list[dict[str, Any]]) -> None:
    made = create(project_key)
    assert len(parse_secret(made["secret"]).key) == 32
    assert made["secret"].startswith("whsec_")
    shown = [one(project_key, made["id"]), *send(project_key, "GET", PATH).json["items"]]
    assert all("secret" not in body for body in shown)
    rest = {name: value for name, value in made.items() if name != "secret"}
    assert [{name: value for name, value in body.items() if name != "latency"} for body in shown] == [rest, rest]
    key = parse_secret(made["secret"]).key
    assert made["secret"] not in text_of(aws) + repr(logged)
    assert base64.b64encode(key).decode() not in text_of(aws)
    assert repr(key)[2:-1] not in text_of(aws)


def test_a_new_endpoint_is_as_it_was_asked_for(project_key: str) -> None:
    made = create(project_key)
    assert made["created_at"] == made["updated_at"]
    assert {name: made[name] for name in ("url", "events", "description", "enabled", "headers", "health")} == {
        "url": URL,
        "events": [],
        "description": "",
        "enabled": True,
        "headers": {},
        "health": "active",
    }
    full = create(
        project_key,
        events=["submission.completed"],
        description="mine",
        enabled=False,
        headers={"X-Team": "7", "Authorization": "Bearer very-hidden"},
        secret=SECRET,
    )
    assert (full["secret"], full["events"], full["description"]) == (SECRET, ["submission.completed"], "mine")
    assert (full["enabled"], full["health"], full["disabled_reason"]) == (False, "disabled", "request")
    assert full["headers"] == {"x-team": "***", "authorization": "***"}
    assert one(project_key, full["id"])["disabled_at"] == full["created_at"]


def test_caps_of_an_endpoint_are_set_changed_and_bounded(project_key: str, store: EndpointStore) -> None:
    made = create(project_key)
    assert (made["max_concurrency"], made["max_per_second"]) == (10, 0)
    made = create(project_key, max_concurrency=3, max_per_second=7)
    assert (made["max_concurrency"], made["max_per_second"]) == (3, 7)
    changed = change(project_key, made["id"], max_per_second=0).json
    assert (changed["max_concurrency"], changed["max_per_second"]) == (3, 0)
    assert change(project_key, made["id"], max_concurrency=20).json["max_concurrency"] == 20
    stored = row(store, made["id"])
    assert (stored.max_concurrency, stored.max_per_second) == (20, 0)
    for wrong in ({"max_concurrency": 0}, {"max_concurrency": 21}, {"max_per_second": -1}, {"max_per_second": 101}):
        refused = change(project_key, made["id"], **wrong)
        assert (refused.status, [problem["field"] for problem in refused.json["fields"]]) == (422, list(wrong))


def test_the_format_of_an_endpoint_is_set_changed_and_checked(project_key: str, store: EndpointStore) -> None:
    assert create(project_key)["format"] == "event"
    made = create(project_key, format="slack")
    assert (made["format"], row(store, made["id"]).format) == ("slack", "slack")
    assert change(project_key, made["id"], description="kept").json["format"] == "slack"
    assert change(project_key, made["id"], format="teams").json["format"] == "teams"
    refused = change(project_key, made["id"], format="irc")
    assert (refused.status, [problem["field"] for problem in refused.json["fields"]]) == (422, ["format"])


def test_logs_hold_neither_url_nor_headers_nor_secret(project_key: str, logged: list[dict[str, Any]]) -> None:
    made = create(project_key, headers={"authorization": "Bearer very-hidden"}, secret=SECRET)
    change(project_key, made["id"], headers={"x-key": "very-hidden"}, url=URL + "2")
    change(project_key, made["id"], headers={"x key": "very-hidden"}, url="https://10.0.0.1/?very-hidden")
    send(project_key, "POST", f"{PATH}/{made['id']}/rotate", {"secret": SECRET})
    send(project_key, "DELETE", f"{PATH}/{made['id']}")
    changes = [line for line in logged if line["message"] != "Request refused"]
    assert [line["message"] for line in changes] == ["Endpoint created", "Endpoint changed", "Endpoint deleted"]
    assert all(line["endpoint_id"] == made["id"] for line in changes)
    assert not any(text in repr(logged) for text in ("hidden", "MfKQ9r8", "hooks.example.com"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://api.example.com/api/submit"}, "url"),
        ({"events": ["nothing"]}, "events[0]"),
        ({"headers": {"host": "x"}}, "headers.host"),
        ({"secret": "whsec_short"}, "secret"),
    ],
)
def test_a_refused_endpoint_leaves_no_rows(aws: Aws, project_key: str, fields: dict[str, Any], field: str) -> None:
    answer = send(project_key, "POST", PATH, {"url": URL, **fields})
    assert (answer.status, answer.json["error"]) == (422, "invalid")
    assert [problem["field"] for problem in answer.json["fields"]] == [field]
    assert aws.items("DeliveriesTable") == []


def test_a_name_of_our_own_in_the_settings_is_refused_too(aws: Aws, project_key: str) -> None:
    aws.monkeypatch.setenv("PUBLIC_BASE_URL", "https://rustbox.example.org")
    assert send(project_key, "POST", PATH, {"url": "https://rustbox.example.org/"}).status == 422
    assert send(project_key, "POST", PATH, {"url": "https://api.example.com/"}).status == 422
    assert send(project_key, "POST", PATH, {"url": "https://api.example.org/"}).status == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        *((b"{", "application/json", 400), (b"[]", "application/json", 422), (b"{}", "text/plain", 415)),
        *((b"{}", "application/json", 422), (b'"' + b"x" * 1_048_576 + b'"', "application/json", 413)),
    ],
)
def test_a_broken_body_is_refused(project_key: str, body: bytes, content_type: str, status: int) -> None:
    assert send(project_key, "POST", PATH, body, content_type=content_type).status == status


def test_a_project_has_at_most_fifty_and_a_deletion_allows_another(aws: Aws, project_key: str) -> None:
    made = [create(project_key)["id"] for _ in range(MAX_ENDPOINTS)]
    full = send(project_key, "POST", PATH, {"url": URL})
    assert (full.status, full.json["error"]) == (409, "conflict")
    assert str(MAX_ENDPOINTS) in full.json["message"]
    assert send(project_key, "DELETE", f"{PATH}/{made[0]}").status == 200
    assert send(project_key, "DELETE", f"{PATH}/{made[0]}").status == 404
    create(project_key)
    assert send(project_key, "POST", PATH, {"url": URL}).status == 409
    assert len([item for item in aws.items("DeliveriesTable") if "url" in item]) == MAX_ENDPOINTS


def test_concurrent_creations_stop_exactly_at_the_limit(aws: Aws, project_key: str) -> None:
    for _ in range(MAX_ENDPOINTS - 5):
        create(project_key)
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: send(project_key, "POST", PATH, {"url": URL}).status, range(24)))
    assert statuses.count(200) == 5
    assert set(statuses) <= {200, 409, 503}
    assert len([item for item in aws.items("DeliveriesTable") if "url" in item]) == MAX_ENDPOINTS


def test_rows_that_others_keep_writing_make_the_service_busy(project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(project_key)

    def contended(*_: object, **__: object) -> bool:
        raise RowsContendedError

    monkeypatch.setattr(EndpointStore, "create", contended)
    monkeypatch.setattr(EndpointStore, "change", contended)
    monkeypatch.setattr(EndpointStore, "delete", contended)
    assert send(project_key, "POST", PATH, {"url": URL}).status == 503
    assert change(project_key, made["id"], description="x").status == 503
    assert send(project_key, "POST", f"{PATH}/{made['id']}/rotate", {}).status == 503
    assert send(project_key, "DELETE", f"{PATH}/{made['id']}").status == 503


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_are_newest_first_and_meet_without_gap(project_key: str, limit: int) -> None:
    made = [create(project_key)["id"] for _ in range(3)]
    seen: list[str] = []
    query = {"limit": str(limit)}
    while True:
        page = send(project_key, "GET", PATH, query=query).json
        seen += [item["id"] for item in page["items"]]
        assert len(page["items"]) <= limit
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    by_time = sorted(made, key=lambda name: (one(project_key, name)["created_at"], name), reverse=True)
    assert seen == by_time


def test_an_endpoint_shows_the_latencies_of_its_last_deliveries(aws: Aws, project_key: str) -> None:
    made = create(project_key)["id"]
    for number in range(20):
        attempt = {"n": 1, "at": to_rfc3339(now_ms() - number * 360_000), "latency_ms": number, "status_code": 200}
        put_delivered(aws, made, attempt)
    put_delivered(aws, made, {"n": 1, "at": to_rfc3339(now_ms()), "latency_ms": 15_000, "error_code": "bad_scheme"})
    put_delivered(aws, made, None)  # by its second attempt
    put_delivered(aws, new_id(), {"n": 1, "at": to_rfc3339(now_ms()), "latency_ms": 9_999, "status_code": 200})
    assert one(project_key, made)["latency"] == {
        "last_hour": {"p50_ms": 4, "p95_ms": 9, "deliveries": 10},
        "last_day": {"p50_ms": 9, "p95_ms": 18, "deliveries": 20},
    }
    empty = {"p50_ms": None, "p95_ms": None, "deliveries": 0}
    fresh = one(project_key, create(project_key)["id"])["latency"]
    assert fresh == {"last_hour": empty, "last_day": empty}


def put_delivered(aws: Aws, endpoint_id: str, attempt: dict[str, Any] | None) -> None:
    delivery = put_delivery(aws, "delivered", endpoint_id=endpoint_id, attempt=1)
    if attempt is not None:
        row = raw_row(aws, delivery) | to_item({"only_attempt": attempt})
        aws.client("dynamodb").put_item(TableName=aws.names["DeliveriesTable"], Item=row)


def test_the_list_is_filtered_by_state_and_time_of_creation(project_key: str) -> None:
    on, off = create(project_key), create(project_key, enabled=False)
    assert off["created_at"] > on["created_at"]

    def listed(**query: str) -> list[str]:
        return [item["id"] for item in send(project_key, "GET", PATH, query=query).json["items"]]

    assert listed(state="active") == [on["id"]]
    assert listed(state="disabled") == [off["id"]]
    assert listed(state="degraded") == []
    assert listed(since=on["created_at"]) == [off["id"], on["id"]]
    assert listed(since=off["created_at"]) == [off["id"]]
    assert listed(since=off["created_at"], state="active") == []


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"cursor": "x"}, {"cursor": ""}),
        *({"state": "x"}, {"state": ""}, {"since": "yesterday"}),
    ],
)
def test_a_wrong_page_is_a_bad_request(project_key: str, query: dict[str, str]) -> None:
    assert send(project_key, "GET", PATH, query=query).status == 400


@pytest.mark.parametrize("text", ["x", "..", SUBMISSION_ID[:-1], "run", "é", "a b"])
def test_an_id_that_is_no_uuid_is_a_bad_request(project_key: str, text: str) -> None:
    for method, suffix in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/test")):
        answer = send(project_key, method, f"{PATH}/{text}{suffix}", {} if method in {"PATCH", "POST"} else None)
        assert (answer.status, answer.json["error"]) == (400, "bad_request")


# --- change ---------------------------------------------------------------------------------------------------------


def test_a_change_sets_named_fields_only(project_key: str) -> None:
    made = create(project_key, headers={"x-team": "7"})
    before = {name: value for name, value in made.items() if name != "secret"}
    answer = change(project_key, made["id"], description="new", events=["endpoint.disabled"])
    expected = before | {"description": "new", "events": ["endpoint.disabled"]}
    assert answer.json | {"updated_at": 0} == expected | {"updated_at": 0}
    assert answer.json["updated_at"] > made["updated_at"]
    shown = one(project_key, made["id"])
    assert {name: value for name, value in shown.items() if name != "latency"} == answer.json


def test_a_header_is_kept_changed_or_dropped(project_key: str, store: EndpointStore) -> None:
    made = create(project_key, headers={"x-team": "7", "x-old": "1"})
    assert change(project_key, made["id"], headers={"X-Team": "***", "x-new": "2"}).status == 200
    assert opened(row(store, made["id"])) == {"x-team": "7", "x-new": "2"}
    assert change(project_key, made["id"], headers={"x-old": "***"}).status == 422
    assert opened(row(store, made["id"])) == {"x-team": "7", "x-new": "2"}


def test_pausing_says_when_and_enabling_forgets_the_failures(project_key: str, store: EndpointStore) -> None:
    made = create(project_key)
    failing = {"failing_since_ms": 1, "failing_counted_ms": DISABLE_AFTER_MS, "failing_spread": 3}
    overwrite(store, made["id"], failing)
    assert one(project_key, made["id"])["health"] == "degraded"
    assert "1970" in one(project_key, made["id"])["warning"]
    assert change(project_key, made["id"], enabled=True).json["health"] == "degraded"  # it was enabled: nothing new
    off = change(project_key, made["id"], enabled=False).json
    assert (off["health"], off["disabled_reason"], off["warning"]) == ("disabled", "request", None)
    assert off["disabled_at"] is not None
    assert change(project_key, made["id"], enabled=False).json["disabled_at"] == off["disabled_at"]
    on = change(project_key, made["id"], enabled=True).json
    assert (on["health"], on["disabled_reason"], on["disabled_at"], on["failing_since"]) == ("active", None, None, None)


def test_a_reason_that_is_there_is_not_overwritten(project_key: str, store: EndpointStore) -> None:
    made = create(project_key)
    gone: dict[str, Any] = {"enabled": False, "disabled_reason": "gone", "disabled_at": "2026-11-24T12:00:00.000Z"}
    overwrite(store, made["id"], gone)
    answer = change(project_key, made["id"], enabled=False, description="x").json
    assert (answer["disabled_reason"], answer["disabled_at"]) == ("gone", gone["disabled_at"])


def test_a_change_that_meets_another_is_made_anew_on_top_of_it(
    project_key: str, store: EndpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(project_key)
    stale = row(store, made["id"])
    overwrite(store, made["id"], {"enabled": False, "disabled_reason": "gone"})  # a delivery did this
    read = EndpointStore.get
    stale_reads = [stale]
    monkeypatch.setattr(EndpointStore, "get", lambda *given: stale_reads.pop() if stale_reads else read(*given))
    answer = change(project_key, made["id"], description="new").json
    assert (answer["description"], answer["enabled"], answer["disabled_reason"]) == ("new", False, "gone")
    monkeypatch.setattr(EndpointStore, "get", lambda *_: stale)
    assert change(project_key, made["id"], description="newer").status == 409
    assert send(project_key, "POST", f"{PATH}/{made['id']}/rotate").status == 409


def test_a_change_is_checked_like_a_creation(project_key: str, store: EndpointStore) -> None:
    made = create(project_key)
    before = row(store, made["id"])
    for fields in ({"url": "https://10.0.0.1/"}, {"events": ["x"]}, {"headers": {"te": "x"}}, {"secret": SECRET}):
        assert change(project_key, made["id"], **fields).status == 422
    assert row(store, made["id"]) == before


# --- rotation -------------------------------------------------------------------------------------------------------


def rotate(key: str, endpoint_id: str, body: Any = None) -> dict[str, Any]:
    answer = send(key, "POST", f"{PATH}/{endpoint_id}/rotate", body)
    assert answer.status == 200, answer.raw
    rotated: dict[str, Any] = answer.json
    return rotated


def sent(key: str, endpoint_id: str, receiver: HookReceiver) -> Any:
    """Test the endpoint and return what its receiver got."""
    assert send(key, "POST", f"{PATH}/{endpoint_id}/test").json["delivered"] is True
    return receiver.received[-1]


def verifies(secret: str, received: Any) -> bool:
    try:
        return bool(Webhook(secret).verify(received.body.decode(), received.headers))
    except WebhookVerificationError:
        return False


def test_both_secrets_sign_until_the_overlap_is_over(
    aws: Aws, insecure: None, project_key: str, receiver: HookReceiver, store: EndpointStore
) -> None:
    made = create(project_key, url=receiver.url)
    assert verifies(made["secret"], sent(project_key, made["id"], receiver))
    rotated = rotate(project_key, made["id"])
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] is not None
    both = sent(project_key, made["id"], receiver)
    assert [verifies(body["secret"], both) for body in (made, rotated)] == [True, True]
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    overwrite(store, made["id"], {"previous_until_ms": 1})
    after = sent(project_key, made["id"], receiver)
    assert [verifies(body["secret"], after) for body in (made, rotated)] == [False, True]
    assert one(project_key, made["id"])["previous_secret_until"] is None


def test_without_overlap_the_old_secret_is_gone_at_once(
    insecure: None, project_key: str, receiver: HookReceiver, store: EndpointStore
) -> None:
    made = create(project_key, url=receiver.url)
    rotate(project_key, made["id"])
    rotated = rotate(project_key, made["id"], {"overlap_secs": 0})
    assert rotated["previous_secret_until"] is None
    assert row(store, made["id"]).previous_secret_box is None
    received = sent(project_key, made["id"], receiver)
    assert [verifies(body["secret"], received) for body in (made, rotated)] == [False, True]
    assert len(received.headers["webhook-signature"].split(" ")) == 1


def test_a_rotation_to_ones_own_secret_may_be_repeated(
    insecure: None, project_key: str, receiver: HookReceiver, store: EndpointStore
) -> None:
    made = create(project_key, url=receiver.url)
    first = rotate(project_key, made["id"], {"secret": SECRET})
    before = row(store, made["id"])
    again = rotate(project_key, made["id"], {"secret": SECRET, "overlap_secs": 0})
    assert again == first
    assert row(store, made["id"]) == before
    received = sent(project_key, made["id"], receiver)
    assert verifies(SECRET, received)
    assert verifies(made["secret"], received)


@pytest.mark.parametrize("body", [{"overlap_secs": -1}, {"overlap_secs": 604_801}, {"secret": "whsec_short"}, []])
def test_a_wrong_rotation_changes_nothing(project_key: str, store: EndpointStore, body: Any) -> None:
    made = create(project_key)
    before = row(store, made["id"])
    assert send(project_key, "POST", f"{PATH}/{made['id']}/rotate", body).status == 422
    assert row(store, made["id"]) == before


# --- test sends -----------------------------------------------------------------------------------------------------


def test_a_test_shows_the_request_and_the_answer(
    insecure: None, project_key: str, receiver: HookReceiver, aws: Aws, logged: list[dict[str, Any]]
) -> None:
    receiver.always(500, b"\xffno", **{"x-reply": "1"})
    made = create(project_key, url=receiver.url, headers={"x-team": "7"}, events=["endpoint.disabled"])
    answer = send(project_key, "POST", f"{PATH}/{made['id']}/test")
    (received,) = receiver.received
    shown = answer.json
    assert (answer.status, shown["delivered"], shown["endpoint_id"]) == (200, False, made["id"])
    assert shown["request"]["body"].encode() == received.body
    assert shown["request"]["headers"].items() <= received.headers.items()
    assert shown["request"]["headers"]["x-team"] == "7"
    assert shown["request"]["url"] == receiver.url
    assert shown["signed_content"] == (
        f"{received.webhook_id}.{received.headers['webhook-timestamp']}.{received.body.decode()}"
    )
    assert shown["response"] | {"latency_ms": 0} == {
        "status_code": 500,
        "error_code": None,
        "latency_ms": 0,
        "address": "127.0.0.1",
        "head": "\ufffdno",
        "head_base64": base64.b64encode(b"\xffno").decode(),
    }
    assert verifies(made["secret"], received)
    event_sent = json.loads(received.body)
    assert (event_sent["type"], event_sent["endpoint_id"]) == ("webhook.test", made["id"])
    assert made["secret"].removeprefix("whsec_") not in answer.raw.decode() + repr(logged)
    events = [item for item in aws.items("DeliveriesTable") if item["pk"]["S"].startswith("EVENT#")]
    assert {item["type"]["S"] for item in events} == {"project.changed"}
    assert aws.messages("DeliveriesQueue") == []


@pytest.mark.parametrize("body_format", ["slack", "discord", "teams"])
def test_a_test_of_a_chat_endpoint_sends_a_signed_card(
    insecure: None, project_key: str, receiver: HookReceiver, body_format: str
) -> None:
    made = create(project_key, url=receiver.url, format=body_format)
    received = sent(project_key, made["id"], receiver)
    assert problems(body_format, received.body) == []
    assert "Rustbox test message" in texts(json.loads(received.body))
    assert verifies(made["secret"], received)


@pytest.mark.parametrize("body_format", ["cloudevents", "cloudevents_structured"])
def test_a_test_of_cloudevents_is_signed_and_the_sdk_reads_it(
    insecure: None, project_key: str, receiver: HookReceiver, body_format: str
) -> None:
    made = create(project_key, url=receiver.url, format=body_format)
    received = sent(project_key, made["id"], receiver)
    event = from_http_event(HTTPMessage(received.headers, received.body))
    assert (event.get_type(), event.get_id()) == ("webhook.test", received.webhook_id)
    assert event.get_subject() == made["id"]
    assert verifies(made["secret"], received)


def test_a_test_of_pagerduty_checks_the_key_and_calls_nobody(
    aws: Aws, insecure: None, project_key: str, receiver: HookReceiver, logged: list[dict[str, Any]]
) -> None:
    made = create(project_key, url=receiver.url, format="pagerduty", routing_key=ROUTING_KEY)
    assert made["routing_key"] == "***"
    shown = send(project_key, "POST", f"{PATH}/{made['id']}/test")
    (received,) = receiver.received
    assert problems("pagerduty", received.body) == []
    assert json.loads(received.body)["routing_key"] == ROUTING_KEY
    assert json.loads(received.body)["event_action"] == "resolve"
    for text in (repr(shown.json), repr(logged), repr(aws.items("DeliveriesTable"))):
        assert ROUTING_KEY not in text


def test_a_routing_key_is_replaced_and_goes_with_its_format(project_key: str, store: EndpointStore) -> None:
    made = create(project_key, format="pagerduty", routing_key=ROUTING_KEY)
    before = row(store, made["id"]).routing_key_box
    assert change(project_key, made["id"], routing_key="***").json["routing_key"] == "***"
    assert row(store, made["id"]).routing_key_box == before
    assert change(project_key, made["id"], routing_key=ROUTING_KEY[::-1]).status == 200
    assert row(store, made["id"]).routing_key_box not in {before, None}
    assert change(project_key, made["id"], format="slack").json["routing_key"] is None
    assert row(store, made["id"]).routing_key_box is None


def test_a_disabled_endpoint_can_be_tested_and_stays_disabled(
    insecure: None, project_key: str, receiver: HookReceiver
) -> None:
    made = create(project_key, url=receiver.url, enabled=False)
    assert sent(project_key, made["id"], receiver).webhook_id
    assert one(project_key, made["id"])["health"] == "disabled"


def test_a_test_of_a_dead_receiver_shows_the_error(insecure: None, project_key: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        made = create(project_key, url=f"http://127.0.0.1:{closed.getsockname()[1]}/")
        shown = send(project_key, "POST", f"{PATH}/{made['id']}/test").json
    assert (shown["delivered"], shown["response"]["status_code"]) == (False, None)
    assert shown["response"]["error_code"] == "connect_refused"


def test_an_endpoint_whose_secret_is_another_ones_sends_nothing_until_it_is_rotated(
    insecure: None, project_key: str, receiver: HookReceiver, store: EndpointStore
) -> None:
    made, other = (create(project_key, url=receiver.url) for _ in range(2))
    overwrite(store, made["id"], {"secret_box": row(store, other["id"]).secret_box})
    assert send(project_key, "POST", f"{PATH}/{made['id']}/test").status == 409
    assert receiver.received == []
    rotate(project_key, made["id"], {"secret": SECRET, "overlap_secs": 0})
    assert verifies(SECRET, sent(project_key, made["id"], receiver))


def test_a_test_waits_as_long_as_the_endpoint_says(project_key: str) -> None:
    made = create(project_key, url="https://hooks.example.com/", timeout_secs=1)
    asked: list[float] = []

    def resolve(*_: object) -> list[str]:
        asked.append(time.monotonic())
        time.sleep(5)
        return []

    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(endpoints.ENV._parts, Egress, replace(endpoints.ENV[Egress], resolver=resolve))
        shown = send(project_key, "POST", f"{PATH}/{made['id']}/test").json
    assert time.monotonic() - asked[0] < 4
    assert (shown["delivered"], shown["response"]["error_code"]) == (False, "dns_error")
    assert made["timeout_secs"] == 1
    assert change(project_key, made["id"], timeout_secs=15).json["timeout_secs"] == 15


def test_a_test_goes_through_the_guard(project_key: str) -> None:
    made = create(project_key, url="https://hooks.example.com/")
    guarded = replace(endpoints.ENV[Egress], resolver=lambda *_: ["93.184.216.34", "10.0.0.1"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(endpoints.ENV._parts, Egress, guarded)
        shown = send(project_key, "POST", f"{PATH}/{made['id']}/test").json
    assert shown["response"]["error_code"] == "blocked_address"
    assert shown["response"]["address"] is None


@pytest.mark.parametrize("call_of", ["test", "recover"])
def test_one_long_call_at_a_time_keeps_an_endpoint(
    insecure: None, project_key: str, receiver: HookReceiver, store: EndpointStore, call_of: str
) -> None:
    made, other = (create(project_key, url=receiver.url) for _ in range(2))
    endpoint, now = row(store, made["id"]), now_ms()
    body = {"since": to_rfc3339(now - 1_000)} if call_of == "recover" else None
    assert store.begin_work(endpoint, now, now + 60_000)
    assert not store.begin_work(endpoint, now, now + 60_000)
    refused = send(project_key, "POST", f"{PATH}/{made['id']}/{call_of}", body)
    assert (refused.status, refused.json["error"]) == (409, "conflict")
    assert receiver.received == []
    assert send(project_key, "POST", f"{PATH}/{other['id']}/{call_of}", body).status == 200
    store.end_work(endpoint, now + 1)  # somebody else's
    assert send(project_key, "POST", f"{PATH}/{made['id']}/{call_of}", body).status == 409
    store.end_work(endpoint, now + 60_000)
    for _ in range(2):  # each call gives it back
        assert send(project_key, "POST", f"{PATH}/{made['id']}/{call_of}", body).status == 200
    assert store.begin_work(endpoint, now, now - 1)  # one that died
    assert send(project_key, "POST", f"{PATH}/{made['id']}/{call_of}", body).status == 200


def test_everybody_may_know_where_webhooks_come_from(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(None, "GET", "/api/egress-addresses").json == {"networks": [], "static": False}
    monkeypatch.setenv("EGRESS_ADDRESSES", "192.0.2.7,198.51.100.0/28")
    endpoints.ENV.forget()
    answer = send(None, "GET", "/api/egress-addresses")
    endpoints.ENV.forget()
    assert answer.json == {"networks": ["192.0.2.7/32", "198.51.100.0/28"], "static": True}


def test_calls_work_behind_a_stage_prefix(project_key: str) -> None:
    made = event("GET", PATH, headers={"X-API-Key": project_key}, stage="beta")
    assert call(made).json == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", PATH, "GET, POST"),
        ("DELETE", PATH, "GET, POST"),
        ("GET", f"{PATH}/{SUBMISSION_ID}/rotate", "POST"),
        ("POST", "/api/deliveries", "GET"),
        ("DELETE", f"/api/deliveries/{SUBMISSION_ID}.run", "GET"),
    ],
)
def test_a_wrong_method_gets_the_allowed_ones(project_key: str, method: str, path: str, allowed: str) -> None:
    answer = send(project_key, method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


def entries(answer: Answer) -> list[str]:
    """Versions of the signature's entries of a test send."""
    return [entry.partition(",")[0] for entry in answer.json["request"]["headers"]["webhook-signature"].split()]


def test_an_asymmetric_endpoint_signs_twice_and_a_rotation_replaces_both_keys(
    project_key: str, insecure: None, store: EndpointStore, receiver: HookReceiver
) -> None:
    made = create(project_key, url=receiver.url, asymmetric=True)
    path = f"{PATH}/{made['id']}"
    assert made["asymmetric"] is True
    assert (made["secret"][:6], made["public_key"][:5]) == ("whsec_", "whpk_")
    assert "whsk_" not in json.dumps(made)
    assert b"whsk_" not in row(store, made["id"]).secret_box
    assert entries(send(project_key, "POST", f"{path}/test")) == ["v1", "v1a"]
    Webhook(made["secret"]).verify(receiver.received[-1].body, receiver.received[-1].headers)

    rotated = send(project_key, "POST", f"{path}/rotate").json
    assert rotated["public_key"] not in {None, made["public_key"]}
    assert send(project_key, "GET", path).json["public_key"] == rotated["public_key"]
    sent = send(project_key, "POST", f"{path}/test")
    assert entries(sent) == ["v1", "v1a", "v1", "v1a"]
    content = sent.json["signed_content"].encode()
    signed = [entry.partition(",")[2] for entry in sent.json["request"]["headers"]["webhook-signature"].split()[1::2]]
    for public_key, signature in zip((rotated["public_key"], made["public_key"]), signed, strict=True):
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
        key.verify(base64.b64decode(signature), content)


def test_an_endpoint_gets_and_loses_its_key_pair_and_keeps_its_secret(
    project_key: str, insecure: None, receiver: HookReceiver
) -> None:
    made = create(project_key, url=receiver.url)
    path = f"{PATH}/{made['id']}"
    assert (made["asymmetric"], made["public_key"]) == (False, None)
    first = change(project_key, made["id"], asymmetric=True).json["public_key"]
    assert change(project_key, made["id"], description="kept", asymmetric=True).json["public_key"] == first
    assert entries(send(project_key, "POST", f"{path}/test")) == ["v1", "v1a"]
    assert change(project_key, made["id"], asymmetric=False).json["public_key"] is None
    assert entries(send(project_key, "POST", f"{path}/test")) == ["v1"]
    Webhook(made["secret"]).verify(receiver.received[-1].body, receiver.received[-1].headers)
