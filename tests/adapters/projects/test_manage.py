"""Projects, keys and quotas over the administrator's API."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.handlers import projects as manage
from functions.http.parameters import write_cursor
from functions.http.rights import RIGHTS
from functions.projects import api
from functions.projects.bodies import PER_DAY_MAX, PER_MINUTE_MAX
from functions.projects.model import MAX_IN_FLIGHT, NetworkAccess, Project, ProjectNetwork, Quota
from functions.projects.store import REVOKED_KEPT_SECS, KeyProblem, KeyStore, ProjectStore
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, admin, call, event, get
from tests.submission_factory import FakeTime

DEFAULTS = {
    "judge": {"per_minute": 60, "per_day": 1000, "in_flight": 10},
    "agent": {"per_minute": 60, "per_day": 20_000, "in_flight": 8},
}
UNKNOWN = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"


class Admin:
    """Calls with the right key."""

    def __init__(self, key: str) -> None:
        self.key = key

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        return admin(self.key, method, f"/api/projects{path}", body, query=query)

    def ok(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        answer = self.call(method, path, body, **query)
        assert answer.status == 200, answer.json
        return answer.json

    def project(self, **fields: Any) -> str:
        return str(self.ok("POST", "", {"name": "A project", **fields})["id"])

    def pages(self, path: str, limit: int) -> Iterator[list[Any]]:
        page = self.ok("GET", path, limit=str(limit))
        yield page["items"]
        while page["next_cursor"] is not None:
            page = self.ok("GET", path, limit=str(limit), cursor=page["next_cursor"])
            yield page["items"]


@pytest.fixture
def calls(admin_key: str) -> Admin:
    return Admin(admin_key)


def opens(aws: Aws, api_key: str) -> Project | None:
    """Authenticate a key in a function that has not cached it."""
    found = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb()).find_key(api_key)
    return None if isinstance(found, KeyProblem) else found.project


def in_secs(secs: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=secs)).isoformat().replace("+00:00", "Z")


def phrases(logged: list[dict[str, Any]]) -> list[str]:
    return [line["message"] for line in logged]


# --- projects -------------------------------------------------------------------------------------------------------


def test_a_new_project_has_the_defaults_of_the_contract(calls: Admin) -> None:
    made = calls.ok("POST", "", {"name": "Spring course", "unknown": 1})
    assert made["name"] == "Spring course"
    assert (made["enabled"], made["disabled_at"], made["profiles"]) == (True, None, ["judge", "agent"])
    assert made["quotas"] == DEFAULTS
    assert calls.ok("GET", f"/{made['id']}") == made


def test_projects_are_listed_newest_first_page_by_page(calls: Admin, aws: Aws) -> None:
    made = [calls.project(name=f"Project {number}") for number in range(7)]
    pages = list(calls.pages("", 3))
    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [project["id"] for page in pages for project in page]
    assert sorted(listed) == sorted(made)
    times = [project["created_at"] for page in pages for project in page]
    assert times == sorted(times, reverse=True)


def test_a_list_of_exactly_one_page_ends(calls: Admin) -> None:
    for _ in range(3):
        calls.project()
    assert [len(page) for page in calls.pages("", 3)] == [3]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"cursor": "x"},
        {"cursor": write_cursor("dev", f"2026-11-24T12:00:00.000Z#{UNKNOWN}")},
        {"cursor": write_cursor(f"{PROJECT_ID}/keys", f"2026-11-24T12:00:00.000Z#{UNKNOWN}")},
    ],
)
def test_a_page_that_cannot_be_is_a_bad_request(calls: Admin, query: dict[str, str]) -> None:
    assert calls.call("GET", "", **query).status == 400


def test_a_project_is_renamed_and_its_profiles_are_changed(calls: Admin, logged: list[dict[str, Any]]) -> None:
    project_id = calls.project()
    changed = calls.ok("PATCH", f"/{project_id}", {"name": "Another", "profiles": ["agent", "judge", "agent"]})
    assert (changed["name"], changed["profiles"]) == ("Another", ["judge", "agent"])
    assert calls.ok("PATCH", f"/{project_id}", {"profiles": ["agent"]})["profiles"] == ["agent"]
    assert calls.ok("PATCH", f"/{project_id}", {"name": None, "profiles": None}) == calls.ok("GET", f"/{project_id}")
    assert [(line["message"], line["fields"]) for line in logged[1:]] == [
        ("Project changed", ["name"]),
        ("Project changed", ["profiles"]),
    ]


def test_a_disabled_project_is_closed_to_its_keys_until_it_is_enabled(
    calls: Admin, aws: Aws, logged: list[dict[str, Any]]
) -> None:
    project_id = calls.project()
    api_key = calls.ok("POST", f"/{project_id}/keys")["key"]
    assert opens(aws, api_key) is not None
    first = calls.ok("PATCH", f"/{project_id}", {"enabled": False})
    assert (first["enabled"], first["disabled_at"] is None) == (False, False)
    assert calls.ok("PATCH", f"/{project_id}", {"enabled": False}) == first
    assert opens(aws, api_key) is None
    assert get(api_key, "/api/results").status == 401
    again = calls.ok("PATCH", f"/{project_id}", {"enabled": True})
    assert (again["enabled"], again["disabled_at"]) == (True, None)
    assert calls.ok("PATCH", f"/{project_id}", {"enabled": True}) == again
    assert get(api_key, "/api/results").status == 200
    changes = [line for line in logged if line["message"] != "Request refused"]
    assert phrases(changes) == ["Project created", "Key issued", "Project disabled", "Project enabled"]
    assert {line.get("project_id") for line in changes} == {project_id}


def test_quotas_are_changed_bit_by_bit_and_go_back_to_the_default(calls: Admin, aws: Aws) -> None:
    project_id = calls.project(quotas={"judge": {"per_minute": 600}})
    path = f"/{project_id}"
    assert calls.ok("GET", path)["quotas"]["judge"] == {"per_minute": 600, "per_day": 1000, "in_flight": 10}
    changed = calls.ok("PATCH", path, {"quotas": {"judge": {"in_flight": 50}, "agent": {"per_day": 20_001}}})
    assert changed["quotas"]["judge"] == {"per_minute": 600, "per_day": 1000, "in_flight": 50}
    assert changed["quotas"]["agent"] == {"per_minute": 60, "per_day": 20_001, "in_flight": 8}
    assert calls.ok("PATCH", path, {"quotas": {"judge": {"in_flight": None}}}) == changed
    api_key = calls.ok("POST", f"{path}/keys")["key"]
    project = opens(aws, api_key)
    assert project is not None
    assert (project.quota("judge"), project.quota("agent")) == (Quota(600, 1000, 50), Quota(60, 20_001, 8))
    assert calls.ok("PATCH", path, {"quotas": {"judge": None, "agent": None}})["quotas"] == DEFAULTS


def test_changes_of_quotas_at_the_same_time_do_not_undo_each_other(aws: Aws, calls: Admin) -> None:
    project_id = calls.project()
    registry = manage.ENV[ProjectStore]
    before = registry.get(project_id)
    assert before is not None
    calls.ok("PATCH", f"/{project_id}", {"quotas": {"judge": {"per_minute": 7}}})
    late = Project(project_id, before.project.name, quotas={"judge": Quota(60, 8, 10)})
    assert registry.change(before, late) is None
    bodies = [{"quotas": {"judge": {name: 9}}} for name in ("per_minute", "per_day", "in_flight")]
    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda body: calls.call("PATCH", f"/{project_id}", body), bodies))
    assert [answer.status for answer in answers] == [200] * 3
    assert calls.ok("GET", f"/{project_id}")["quotas"]["judge"] == {"per_minute": 9, "per_day": 9, "in_flight": 9}


def test_the_network_of_a_project_is_none_until_the_administrator_changes_it(aws: Aws, calls: Admin) -> None:
    path = f"/{calls.project()}"
    assert calls.ok("GET", path)["network"] == {"access": "none", "allow": [], "mb_per_day": 1024}
    listed = calls.ok("PATCH", path, {"network": {"access": "listed", "allow": ["API.example.com", "*.b.example:80"]}})
    assert listed["network"]["allow"] == ["*.b.example:80", "api.example.com:443"]
    more = calls.ok("PATCH", path, {"network": {"mb_per_day": 5}})["network"]
    assert more == {"access": "listed", "allow": ["*.b.example:80", "api.example.com:443"], "mb_per_day": 5}
    assert calls.ok("GET", path)["network"] == more
    public = calls.ok("PATCH", path, {"network": {"access": "public"}})["network"]
    assert public == {"access": "public", "allow": [], "mb_per_day": 5}
    assert calls.ok("PATCH", path, {"name": "Renamed"})["network"] == public
    project = opens(aws, calls.ok("POST", f"{path}/keys")["key"])
    assert project is not None
    assert project.network == ProjectNetwork(NetworkAccess.PUBLIC, mb_per_day=5)
    assert calls.ok("PATCH", path, {"network": {"access": "none", "mb_per_day": 1024}})["network"]["access"] == "none"
    created = calls.ok("GET", f"/{calls.project(network={'access': 'listed', 'allow': ['a.example']})}")
    assert created["network"]["allow"] == ["a.example:443"]


@pytest.mark.parametrize(
    ("network", "field"),
    [
        ({"access": "listed"}, "network.allow"),
        ({"access": "public", "allow": ["a.example"]}, "network.allow"),
        ({"allow": ["a.example"]}, "network.allow"),
        ({"access": "listed", "allow": []}, "network.allow"),
        ({"access": "listed", "allow": ["10.0.0.1"]}, "network.allow[0]"),
        ({"access": "listed", "allow": [f"a{number}.example" for number in range(257)]}, "network.allow"),
        ({"access": "all"}, "network.access"),
        ({"mb_per_day": 0}, "network.mb_per_day"),
        ({"deny": []}, "network.deny"),
        ("public", "network"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_network_of_a_project_is_refused(calls: Admin, network: Any, field: str) -> None:
    for method, path, body in (("POST", "", {"name": "x"}), ("PATCH", f"/{calls.project()}", {})):
        answer = calls.call(method, path, {**body, "network": network})
        assert (answer.status, [one["field"] for one in answer.json["fields"]]) == (422, [field])


def test_a_late_change_of_the_network_does_not_allow_again_what_was_taken(calls: Admin) -> None:
    project_id = calls.project(network={"access": "public"})
    registry = manage.ENV[ProjectStore]
    before = registry.get(project_id)
    assert before is not None
    calls.ok("PATCH", f"/{project_id}", {"network": {"access": "none"}})
    late = replace(before.project, network=replace(before.project.network, mb_per_day=7))
    assert registry.change(before, late) is None
    assert calls.ok("GET", f"/{project_id}")["network"]["access"] == "none"


def test_a_change_that_never_gets_through_is_a_conflict(calls: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    project_id = calls.project()
    monkeypatch.setattr(ProjectStore, "change", lambda *_, **__: None)
    answer = calls.call("PATCH", f"/{project_id}", {"name": "x"})
    assert (answer.status, answer.json["error"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ([], "body"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "\x1b[2J"}, "name"),
        ({"name": "turned \u202e around"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "profiles": []}, "profiles"),
        ({"name": "x", "profiles": ["root"]}, "profiles[0]"),
        ({"name": "x", "quotas": {"root": {}}}, "quotas.root"),
        ({"name": "x", "quotas": {"judge": {"per_hour": 1}}}, "quotas.judge.per_hour"),
        ({"name": "x", "quotas": {"judge": {"per_minute": 0}}}, "quotas.judge.per_minute"),
        ({"name": "x", "quotas": {"judge": {"per_minute": PER_MINUTE_MAX + 1}}}, "quotas.judge.per_minute"),
        ({"name": "x", "quotas": {"judge": {"per_day": PER_DAY_MAX + 1}}}, "quotas.judge.per_day"),
        ({"name": "x", "quotas": {"agent": {"in_flight": MAX_IN_FLIGHT + 1}}}, "quotas.agent.in_flight"),
        ({"name": "x", "quotas": {"agent": {"in_flight": -1}}}, "quotas.agent.in_flight"),
        ({"name": "x", "quotas": {"agent": {"in_flight": 1.5}}}, "quotas.agent.in_flight"),
        ({"name": "x", "quotas": {"agent": {"in_flight": True}}}, "quotas.agent.in_flight"),
        ({"name": "x", "quotas": {"agent": {"in_flight": 10**400}}}, "quotas.agent.in_flight"),
    ],
)
def test_a_project_that_cannot_be_is_refused_by_field(calls: Admin, aws: Aws, body: Any, field: str) -> None:
    answer = calls.call("POST", "", body)
    assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (422, [field])
    assert aws.items("ProjectsTable") == []


@pytest.mark.parametrize("body", ["", "{", '{"name": NaN}', '{"name": "a", "name": "b"}', b"\xff"])
def test_broken_json_is_a_bad_request(calls: Admin, body: str | bytes) -> None:
    assert calls.call("POST", "", body).status == 400


def test_a_body_of_another_type_or_size_is_refused(calls: Admin) -> None:
    text = call(event("POST", "/api/projects", headers={"X-Admin-Key": calls.key, "Content-Type": "text/x"}, body="{}"))
    assert text.status == 415
    assert calls.call("POST", "", json.dumps({"name": "x", "filler": "x" * 1_048_576})).status == 413


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PATCH", ""), ("GET", "/keys"), ("POST", "/keys")])
def test_a_project_that_does_not_exist_is_not_found(calls: Admin, method: str, path: str) -> None:
    body = {"name": "x"} if method == "PATCH" else None
    assert calls.call(method, f"/{UNKNOWN}{path}", body).status == 404
    assert calls.call(method, f"/no*id{path}", body).status == 400
    assert calls.call(method, f"/{'x' * 65}{path}", body).status == 400


def test_a_wrong_method_gets_405_with_the_allowed_ones(calls: Admin) -> None:
    answer = calls.call("DELETE", f"/{UNKNOWN}")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, PATCH")


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_opens_its_project(calls: Admin, aws: Aws, logged: list[dict[str, Any]]) -> None:
    project_id = calls.project()
    issued = calls.ok("POST", f"/{project_id}/keys", {})
    assert next(iter(issued)) == "key"  # terminals show it first
    assert issued["key"].startswith("rb_live_")
    assert len(issued["key"]) >= 50
    assert issued["prefix"] == issued["key"][:12]
    assert get(issued["key"], "/api/results").status == 200
    (listed,) = calls.ok("GET", f"/{project_id}/keys")["items"]
    assert listed["last_used_at"] is not None
    assert {**listed, "last_used_at": None, "key": issued["key"]} == issued
    for text in (repr(aws.items("ProjectsTable")), repr(logged), repr(calls.ok("GET", f"/{project_id}"))):
        assert issued["key"] not in text
    assert [(line["message"], line.get("key_id")) for line in logged[1:]] == [("Key issued", issued["key_id"])]


def test_keys_are_listed_newest_first_page_by_page_and_only_those_of_the_project(calls: Admin) -> None:
    one, other = calls.project(), calls.project()
    made = [calls.ok("POST", f"/{one}/keys")["key_id"] for _ in range(5)]
    foreign = calls.ok("POST", f"/{other}/keys")["key_id"]
    pages = list(calls.pages(f"/{one}/keys", 2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(key["key_id"] for page in pages for key in page) == sorted(made)
    times = [key["created_at"] for page in pages for key in page]
    assert times == sorted(times, reverse=True)
    for method, body in (("DELETE", None), ("PATCH", {"expires_at": None})):
        assert calls.call(method, f"/{one}/keys/{foreign}", body).status == 404
        assert calls.call(method, f"/{one}/keys/{UNKNOWN}", body).status == 404
        assert calls.call(method, f"/{one}/keys/x", body).status == 400
    cursor = calls.ok("GET", f"/{one}/keys", limit="1")["next_cursor"]
    assert calls.call("GET", f"/{other}/keys", cursor=cursor).status == 400


def test_a_revoked_key_opens_nothing_and_revoking_it_again_changes_nothing(
    calls: Admin, aws: Aws, logged: list[dict[str, Any]]
) -> None:
    project_id = calls.project()
    issued, kept = (calls.ok("POST", f"/{project_id}/keys") for _ in range(2))
    path = f"/{project_id}/keys/{issued['key_id']}"
    first = calls.ok("DELETE", path)
    assert first["revoked_at"] is not None
    assert opens(aws, issued["key"]) is None
    assert opens(aws, kept["key"]) is not None
    assert calls.ok("DELETE", path) == first
    assert first in calls.ok("GET", f"/{project_id}/keys")["items"]
    assert calls.call("PATCH", path, {"expires_at": None}).status == 409
    assert opens(aws, issued["key"]) is None
    assert phrases(logged).count("Key revoked") == 1


def test_a_revoked_key_leaves_the_list_after_ninety_days(calls: Admin, aws: Aws) -> None:
    project_id = calls.project()
    issued = calls.ok("POST", f"/{project_id}/keys")
    calls.ok("DELETE", f"/{project_id}/keys/{issued['key_id']}")
    time = FakeTime(manage.ENV.clock())
    store = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    time.advance(REVOKED_KEPT_SECS - 60)
    assert [record.key_id for record in store.list_all(project_id)] == [issued["key_id"]]
    time.advance(120)
    assert store.list_all(project_id) == []
    about = [item for item in aws.items("ProjectsTable") if issued["key_id"] in repr(item)]
    assert [("ttl" in item) for item in about] == [True, True]


def test_a_key_expires_at_its_time_and_without_one_stays_valid(calls: Admin, aws: Aws) -> None:
    project_id = calls.project()
    until = in_secs(3600)
    issued = calls.ok("POST", f"/{project_id}/keys", {"expires_at": until})
    assert issued["expires_at"] == until[:23] + "Z"
    path = f"/{project_id}/keys/{issued['key_id']}"
    assert opens(aws, issued["key"]) is not None
    calls.ok("PATCH", path, {"expires_at": in_secs(-1)})
    assert opens(aws, issued["key"]) is None
    assert calls.ok("PATCH", path, {"expires_at": None})["expires_at"] is None
    assert opens(aws, issued["key"]) is not None
    assert calls.ok("PATCH", path, {"expires_at": "2099-01-31t12:00:00.5+02:00"})["expires_at"] == (
        "2099-01-31T10:00:00.500Z"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow", "2099-01-31", "2099-01-31T12:00:00", "2099-02-30T12:00:00Z", "2099-W01-1T00:00:00Z", 7, True),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2099-01-31T12:00:00+99:99"),
        "\uff12099-01-31T12:00:00Z",
    ],
)
def test_a_time_that_is_none_is_refused(calls: Admin, text: Any) -> None:
    project_id = calls.project()
    issued = calls.ok("POST", f"/{project_id}/keys")
    for answer in (
        calls.call("POST", f"/{project_id}/keys", {"expires_at": text}),
        calls.call("PATCH", f"/{project_id}/keys/{issued['key_id']}", {"expires_at": text}),
    ):
        assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (422, ["expires_at"])


def test_a_new_key_must_not_be_expired_and_a_change_must_name_a_field(calls: Admin) -> None:
    project_id = calls.project()
    assert calls.call("POST", f"/{project_id}/keys", {"expires_at": in_secs(-1)}).status == 422
    issued = calls.ok("POST", f"/{project_id}/keys")
    assert calls.call("PATCH", f"/{project_id}/keys/{issued['key_id']}", {}).status == 422


def test_a_key_has_the_rights_and_the_name_that_it_was_issued_with(calls: Admin) -> None:
    project_id = calls.project()
    fields = {"name": "Page", "rights": ["checks", "run", "checks"], "expires_at": in_secs(60)}
    issued = calls.ok("POST", f"/{project_id}/keys", fields)
    assert (issued["name"], issued["rights"]) == ("Page", ["run", "checks"])
    plain = calls.ok("POST", f"/{project_id}/keys")
    assert (plain["name"], plain["rights"]) == (None, list(RIGHTS))
    listed = {key["key_id"]: key for key in calls.ok("GET", f"/{project_id}/keys")["items"]}
    for key in (issued, plain):
        secret = key.pop("key")
        assert listed[key["key_id"]] | {"last_used_at": None} == key
        shown = get(secret, "/api/key").json
        assert shown == {name: key[name] for name in ("project_id", "prefix", "name", "rights", "expires_at")}


@pytest.mark.parametrize(
    "body",
    [
        *({"rights": rights} for rights in (["run", "fly"], ["RUN"], [], "run", ["run\n"], [None], {"run": True})),
        *({"right": ["run"]}, {"scopes": ["run"]}, {"name": ""}, {"name": "a\nb"}, {"name": "x" * 101}),
    ],
    ids=str,
)
def test_a_key_with_a_field_that_is_not_understood_is_refused(calls: Admin, body: dict[str, Any]) -> None:
    """An ignored one would make a key with all rights."""
    project_id = calls.project()
    assert calls.call("POST", f"/{project_id}/keys", body).status == 422
    assert calls.ok("GET", f"/{project_id}/keys")["items"] == []


@pytest.mark.parametrize(
    ("stored", "rights"),
    [(["run", "fly"], ["run"]), (["fly"], []), ([], []), (["RUN", "run "], []), (None, list(RIGHTS))],
)
def test_a_right_in_a_row_of_a_newer_version_gives_nothing(
    calls: Admin, aws: Aws, stored: list[str] | None, rights: list[str]
) -> None:
    issued = calls.ok("POST", f"/{calls.project()}/keys", {"rights": ["run"]})
    (row,) = [item for item in aws.items("ProjectsTable") if item.get("key_id", {}).get("S") == issued["key_id"]]
    row["rights"] = {"L": [{"S": right} for right in stored or ()]}
    if stored is None:
        del row["rights"]
    aws.client("dynamodb").put_item(TableName=aws.names["ProjectsTable"], Item=row)
    assert calls.ok("GET", f"/{issued['project_id']}/keys")["items"][0]["rights"] == rights
    shown = get(issued["key"], "/api/key")
    assert (shown.status, shown.json.get("rights", [])) == (200 if rights else 403, rights)
    assert get(issued["key"], "/api/results").status == (200 if "read" in rights else 403)


def test_a_project_has_a_bounded_number_of_keys(calls: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_KEYS", 2)
    project_id = calls.project()
    answers = [calls.call("POST", f"/{project_id}/keys") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 409]


def test_more_keys_than_one_call_reads_are_all_listed(calls: Admin, aws: Aws) -> None:
    project_id = calls.project()
    store = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb())
    for _ in range(105):
        store.issue(project_id)
    assert len(store.list_all(project_id)) == 105


def test_a_key_that_is_removed_while_it_is_revoked_is_not_found_and_does_not_come_back(calls: Admin, aws: Aws) -> None:
    project_id = calls.project()
    issued = calls.ok("POST", f"/{project_id}/keys")
    for item in aws.items("ProjectsTable"):
        if item["sk"]["S"] == "KEY":
            aws.client("dynamodb").delete_item(
                TableName=aws.names["ProjectsTable"], Key={"pk": item["pk"], "sk": item["sk"]}
            )
    assert calls.call("DELETE", f"/{project_id}/keys/{issued['key_id']}").status == 404
    assert opens(aws, issued["key"]) is None
