"""Every change of a project is one event `project.changed`, in the transaction of the change, without secrets."""

import json
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.http.http_event import Caller, HttpEvent
from functions.projects.changes import MOST_BYTES, Change
from functions.webhooks.deliveries.publication import Publication, plan_publication
from functions.webhooks.deliveries.store import DeliveryStore
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import admin, call, event, send

SECRET = "s3cr3t-value-that-nobody-sees"
URL = f"https://hooks.example.com/{SECRET}"
ENDPOINT = {"url": URL, "headers": {"authorization": SECRET}, "events": ["submission.completed"]}
CHECK = {"name": "nightly", "slug": "nightly", "language": "python", "code": f"print('{SECRET}')", "env": {"T": SECRET}}
HEARTBEAT = {"kind": "heartbeat", "name": "job", "schedule": "rate(1 day)"}


def changes(key: str, **query: str) -> list[dict[str, Any]]:
    """The bodies of the events of changes, oldest first."""
    page = send(key, "GET", "/api/events", query={"type": "project.changed", "order": "asc", **query}).json
    return [item["data"] for item in page["items"]]


def only_new(key: str, before: int) -> dict[str, Any]:
    (found,) = changes(key)[before:]
    return found


type Fields = set[str] | None

STEPS: list[tuple[str, str, Any, str, str, Fields, Fields]] = [
    ("POST", "/webhooks", ENDPOINT, "endpoint.created", "{id}", None, {"url", "headers", "events", "enabled"}),
    (
        *("PATCH", "/webhooks/{id}", {"enabled": False, "url": URL + "2", "headers": {"authorization": "x"}}),
        *("endpoint.changed", "{id}", {"enabled", "url", "headers"}, {"enabled", "url", "headers"}),
    ),
    ("POST", "/webhooks/{id}/rotate", {}, "endpoint.secret_replaced", "{id}", None, None),
    ("DELETE", "/webhooks/{id}", None, "endpoint.deleted", "{id}", {"url", "headers", "events"}, None),
    ("POST", "/checks", HEARTBEAT, "check.created", "{id}", None, {"name", "schedule"}),
    ("POST", "/checks/{id}/ping-url", None, "check.ping_url_replaced", "{id}", None, None),
    ("POST", "/checks", CHECK, "check.created", "{id}", None, {"code", "env", "name"}),
    (
        *("PATCH", "/checks/{id}", {"env": {"T": "other"}, "schedule": "rate(1 day)"}, "check.changed", "{id}"),
        *({"env"}, {"env", "schedule", "spread_minutes"}),
    ),
    ("POST", "/checks/{id}/pause", None, "check.changed", "{id}", {"paused"}, {"paused"}),
    ("POST", "/checks/{id}/resume", None, "check.changed", "{id}", {"paused"}, {"paused"}),
    ("POST", "/checks/{id}/secret", {"verify": "gitlab"}, "check.secret_replaced", "{id}", None, None),
    ("PUT", "/quiet-times", {"tags": {"a": []}}, "quiet_times.changed", "", {"tags"}, {"tags"}),
    (
        *("PUT", "/status-page", {"title": "Mine", "checks": ["nightly"]}, "status_page.changed", ""),
        *(None, {"title", "check_ids", "shows_output"}),
    ),
    (
        *("PUT", "/status-page", {"title": "Other", "checks": ["nightly"]}, "status_page.changed", ""),
        *({"title"}, {"title"}),
    ),
    ("DELETE", "/status-page", None, "status_page.deleted", "", {"title", "check_ids"}, None),
    ("DELETE", "/checks/{id}", None, "check.deleted", "{id}", {"name", "code", "env"}, None),
    ("POST", "/problems", {"id": "sum", "cases": [{}]}, "problem.pushed", "sum", None, {"version", "cases"}),
    (
        *("POST", "/problems", {"id": "sum", "cases": [{}, {}]}, "problem.pushed", "sum"),
        *({"version", "cases"}, {"version", "cases"}),
    ),
    ("DELETE", "/problems/sum", None, "problem.deleted", "sum", {"versions"}, None),
]


def test_each_change_by_a_key_is_an_event_with_its_key_and_address(aws: Aws, project_key: str) -> None:
    the_id, expected = "", []
    for method, path, body, action, subject, before, after in STEPS:
        answer = send(project_key, method, f"/api{path}".format(id=the_id), body)
        assert answer.status == 200, answer.raw
        the_id = answer.json["id"] if path in {"/webhooks", "/checks"} else the_id
        expected.append((action, subject.format(id=the_id), before, after))
    found = changes(project_key)
    assert [(one["action"], one["subject"]) for one in found] == [each[:2] for each in expected]
    for one, (_, _, *sides) in zip(found, expected, strict=True):
        assert (one["by"], one["key_prefix"], one["key_name"]) == ("key", project_key[:12], None)
        assert (one["address"], one["project_id"]) == ("192.0.2.1", PROJECT_ID)
        for shown, fields in zip((one["before"], one["after"]), sides, strict=True):
            assert (shown is None) == (fields is None), one
            # A change shows what differs, a creation and a deletion all.
            assert fields is None or fields <= shown.keys(), one
            assert None in sides or shown.keys() == fields, one
    assert SECRET not in json.dumps(found)
    assert {one["after"]["url"] for one in found if "url" in (one["after"] or {})} == {"hooks.example.com"}


def test_the_deletion_of_a_version_is_an_event_too(aws: Aws, project_key: str) -> None:
    for count in (1, 2):
        assert send(project_key, "POST", "/api/problems", {"id": "sum", "cases": [{}] * count}).status == 200
    (first, _) = (one["after"]["version"] for one in changes(project_key))
    assert send(project_key, "DELETE", f"/api/problems/sum@{first}").status == 200
    one = only_new(project_key, 2)
    assert (one["action"], one["subject"]) == ("problem.deleted", f"sum@{first}")


NOTHING_NEW: list[tuple[str, str, Any]] = [
    ("PATCH", "/api/webhooks/{endpoint}", {"events": ["submission.completed"], "headers": {"authorization": "***"}}),
    ("PATCH", "/api/checks/{check}", {"name": "nightly", "env": {"T": "***"}}),
    ("POST", "/api/checks/{check}/resume", None),
    ("PUT", "/api/quiet-times", {"tags": {}}),
    ("PUT", "/api/status-page", {"title": "Mine", "checks": ["nightly"]}),
    ("POST", "/api/problems", {"id": "sum", "cases": [{}]}),
    ("POST", "/api/webhooks/{endpoint}/test", None),
    ("GET", "/api/webhooks/{endpoint}", None),
    ("PATCH", "/api/checks/{check}", {"name": ""}),
    ("DELETE", "/api/webhooks/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11", None),
]


@pytest.mark.usefixtures("no_receiver")
def test_a_request_that_changes_nothing_is_no_event(aws: Aws, project_key: str) -> None:
    ids = {
        "endpoint": send(project_key, "POST", "/api/webhooks", ENDPOINT).json["id"],
        "check": send(project_key, "POST", "/api/checks", CHECK).json["id"],
    }
    for method, path, body in NOTHING_NEW[3:6]:
        assert send(project_key, method, path, body).status == 200
    before = changes(project_key)
    for method, path, body in NOTHING_NEW:
        send(project_key, method, path.format(**ids), body)
        assert changes(project_key) == before, (method, path)


@pytest.fixture
def no_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.webhooks.egress.socket.getaddrinfo", lambda *_, **__: [])


def test_only_endpoints_that_name_it_get_it_and_a_deleted_one_does_not(aws: Aws, project_key: str) -> None:
    for events in ([], ["submission.completed"], ["project.changed"], ["project.changed", "webhook.test"][:1]):
        assert send(project_key, "POST", "/api/webhooks", {"url": URL, "events": events}).status == 200
    named = [
        one["id"]
        for one in send(project_key, "GET", "/api/webhooks").json["items"]
        if "project.changed" in one["events"]
    ]
    count = len(changes(project_key))
    assert send(project_key, "DELETE", f"/api/webhooks/{named[0]}").status == 200
    (item,) = send(project_key, "GET", "/api/events", query={"type": "project.changed", "limit": "1"}).json["items"]
    deliveries = DeliveryStore(aws.names["DeliveriesTable"], Clients.dynamodb()).deliveries_of(item["id"])
    assert [each.endpoint_id for each in deliveries] == named[1:]
    assert only_new(project_key, count)["action"] == "endpoint.deleted"
    hints = aws.messages("DeliveriesQueue")
    assert (hints[-1]["event_id"], hints[-1]["endpoint_id"]) == (item["id"], named[1])
    assert all(hint.get("new") is None for hint in hints)  # a sender reads the row: it sends no change that failed


def test_it_is_polled_and_filtered_like_other_events(aws: Aws, project_key: str) -> None:
    query = {"consumer": "audit", "type": "project.changed"}
    assert send(project_key, "GET", "/api/events/poll", query=query).json["items"] == []
    assert send(project_key, "POST", "/api/checks", CHECK).status == 200
    polled = send(project_key, "GET", "/api/events/poll", query=query).json
    assert [item["data"]["action"] for item in polled["items"]] == ["check.created"]
    (listed,) = send(project_key, "GET", "/api/events", query={"type": "project.changed"}).json["items"]
    assert send(project_key, "GET", f"/api/events/{listed['id']}").json == listed
    assert send(project_key, "GET", "/api/events", query={"type": "submission.completed"}).json["items"] == []


def test_it_is_written_in_the_transaction_of_its_change(
    aws: Aws, project_key: str, admin_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash, both are there or neither."""
    client, sent = Clients.dynamodb(), list[set[str]]()
    write = client.transact_write_items

    def note(**request: Any) -> Any:
        names = {name.removesuffix("Table"): table for name, table in aws.names.items() if name.endswith("Table")}
        of_table = {table: name for name, table in names.items()}
        actions = [next(iter(action.values())) for action in request["TransactItems"]]
        events = any(action.get("Item", {}).get("pk", {}).get("S", "").startswith("EVENT#") for action in actions)
        if events:
            others = {
                of_table[action["TableName"]]
                for action in actions
                if not action.get("Item", {}).get("pk", {}).get("S", "").startswith(("EVENT", "UNORDERED"))
            }
            sent.append(others)
        return write(**request)

    monkeypatch.setattr(client, "transact_write_items", note)
    check = send(project_key, "POST", "/api/checks", CHECK).json["id"]
    for method, path, body in (
        ("PATCH", f"/api/checks/{check}", {"name": "other"}),
        ("POST", f"/api/checks/{check}/secret", None),
        ("PUT", "/api/quiet-times", {"tags": {"a": []}}),
        ("PUT", "/api/status-page", {"title": "Mine", "checks": ["nightly"]}),
        ("POST", "/api/webhooks", ENDPOINT),
        ("POST", "/api/problems", {"id": "sum", "cases": [{}]}),
        ("DELETE", "/api/problems/sum", None),
    ):
        assert send(project_key, method, path, body).status == 200, path
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"name": "Other"}).status == 200
    key = admin(admin_key, "POST", f"/api/projects/{PROJECT_ID}/keys", {"name": "second"}).json
    path = f"/api/projects/{PROJECT_ID}/keys/{key['key_id']}"
    assert admin(admin_key, "PATCH", path, {"expires_at": "2099-01-01T00:00:00Z"}).status == 200
    assert admin(admin_key, "DELETE", path).status == 200
    expected: list[set[str]] = [{"Checks"}] * 5 + [{"Deliveries", "Quotas"}] + [{"Submissions"}] * 2
    assert sent == [*expected, *[{"Projects"}] * 4]
    assert len(changes(project_key)) == len(sent)


@pytest.mark.parametrize("part", ["checks", "problems", "webhooks", "projects"])
def test_a_change_whose_event_cannot_be_written_is_not_made(
    aws: Aws, project_key: str, admin_key: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(_table: str, *rest: Any) -> Publication:
        return plan_publication("no-such-table", *rest)

    monkeypatch.setattr("functions.webhooks.changes.plan_publication", elsewhere)
    bodies = {"checks": CHECK, "problems": {"id": "sum", "cases": [{}]}, "webhooks": ENDPOINT}
    if part == "projects":
        answer = admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"name": "Other"})
    else:
        answer = send(project_key, "POST", f"/api/{part}", bodies[part])
    assert answer.status >= 500
    assert changes(project_key) == []
    for path in bodies:
        assert send(project_key, "GET", f"/api/{path}").json["items"] == []
    assert admin(admin_key, "GET", f"/api/projects/{PROJECT_ID}").json["name"] != "Other"


def test_the_administrators_changes_are_in_the_project_and_in_a_log_of_their_own(
    aws: Aws, project_key: str, admin_key: str
) -> None:
    made = admin(admin_key, "POST", "/api/projects", {"name": "New"}).json["id"]
    network = {"network": {"access": "listed", "allow": ["a.example.com"]}, "quotas": {"judge": {"per_day": 7}}}
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", network).status == 200
    issued = admin(admin_key, "POST", f"/api/projects/{PROJECT_ID}/keys", {"rights": ["read"], "name": "r"}).json
    key_path = f"/api/projects/{PROJECT_ID}/keys/{issued['key_id']}"
    assert [admin(admin_key, "DELETE", key_path).status for _ in range(2)] == [200, 200]
    assert send(project_key, "POST", "/api/checks", CHECK).status == 200
    own = [item["data"] for item in admin(admin_key, "GET", "/api/admin/changes").json["items"]]
    actions = [(one["action"], one["project_id"]) for one in reversed(own)]
    assert actions == [
        ("project.created", made),
        *((action, PROJECT_ID) for action in ("project.changed", "key.issued", "key.revoked")),
    ]
    assert {(one["by"], one["key_prefix"], one["address"]) for one in own} == {("administrator", None, "192.0.2.1")}
    changed, issuing = own[2], own[1]
    assert changed["before"].keys() == changed["after"].keys() == {"network", "quotas"}
    assert (issuing["after"]["rights"], issuing["after"]["prefix"]) == (["read"], issued["key"][:12])
    assert issued["key"] not in json.dumps(own)
    assert changes(project_key)[:3] == list(reversed(own))[1:]
    pages = [
        admin(admin_key, "GET", "/api/admin/changes", query={"limit": "3", "order": "asc"}).json,
    ]
    pages.append(
        admin(
            admin_key,
            "GET",
            "/api/admin/changes",
            query={"limit": "3", "order": "asc", "cursor": pages[0]["next_cursor"]},
        ).json
    )
    assert [item["data"] for page in pages for item in page["items"]] == list(reversed(own))
    cursor = {"cursor": pages[0]["next_cursor"]}
    assert send(project_key, "GET", "/api/events", query=cursor).status == 400  # a cursor of another list


def test_a_header_changes_neither_address_nor_caller(aws: Aws, project_key: str) -> None:
    headers = {
        "X-API-Key": project_key,
        "Content-Type": "application/json",
        "X-Forwarded-For": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "X-Admin-Key": "administrator",
    }
    assert call(event("POST", "/api/checks", headers=headers, body=json.dumps(CHECK))).status == 200
    (one,) = changes(project_key)
    assert (one["address"], one["by"]) == ("192.0.2.1", "key")


@pytest.mark.parametrize("count", [1, 40])
def test_before_and_after_are_bounded(count: int) -> None:
    made = HttpEvent({"requestContext": {"http": {"sourceIp": "192.0.2.1"}}})
    made.caller = Caller("key", "rb_live_abcd", "n" * 100)
    old = {f"field_{number}": "\u00e9" * 400 + str(number) for number in range(count)} | {"code": "short"}
    new = {name: text[::-1] * 100 if name == "field_0" else text[::-1] for name, text in old.items()}
    body = Change("p", "check.changed", "c" * 64, old, new).body(made, 0)
    assert body["before"] is not None
    assert body["after"] is not None
    assert body["after"]["field_0"].keys() == {"sha256", "bytes"}
    assert body["before"]["code"].keys() == {"sha256", "bytes"}
    assert body["before"]["field_0"] == old["field_0"]
    size = len(json.dumps(body, ensure_ascii=False).encode())
    assert size < 2 * (MOST_BYTES + 140 * count) + 1_000


def test_an_unauthenticated_request_has_no_caller() -> None:
    with pytest.raises(AttributeError):
        Change("p", "check.deleted", "c").body(HttpEvent({}), 0)
