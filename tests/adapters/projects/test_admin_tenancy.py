"""Every route of the administrator's with every kind of key: who is let in, and who is not."""

from base64 import b64encode
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.projects.store import KeyStore
from tests.adapters.aws_account import ADMIN_KEY, ADMIN_KEY_PARAMETER, API_KEY, PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, admin, call, event, get, post
from tests.api_routes import ROUTES

BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/api/projects"): {"name": "New"},
    ("GET", "/api/projects"): None,
    ("GET", "/api/projects/{id}"): None,
    ("PATCH", "/api/projects/{id}"): {"name": "Changed"},
    ("POST", "/api/projects/{id}/keys"): {},
    ("GET", "/api/projects/{id}/keys"): None,
    ("PATCH", "/api/projects/{id}/keys/{key_id}"): {"expires_at": None},
    ("DELETE", "/api/projects/{id}/keys/{key_id}"): None,
    ("GET", "/api/admin/submissions/{id}"): None,
    ("POST", "/api/admin/dead-letters/{queue}/redrive"): None,
    ("POST", "/api/admin/projects/{id}/purge"): None,
    ("GET", "/api/admin/runners"): None,
    ("GET", "/api/admin/changes"): None,
    ("GET", "/api/admin/runner-tokens"): None,
    ("POST", "/api/admin/runner-tokens"): {"name": "other-host"},
    ("DELETE", "/api/admin/runner-tokens/{name}"): None,
}
"""A request that is right in everything but perhaps the key, for each route."""
REFUSED = {
    ("GET", "/api/admin/submissions/{id}"): 400,
    ("POST", "/api/admin/projects/{id}/purge"): 409,
    ("POST", "/api/admin/runner-tokens"): 409,
    ("DELETE", "/api/admin/runner-tokens/{name}"): 404,
}
"""Answers to the right key; else 200.

A project's id names no submission, an enabled project is not purged, and no runner of another host may join.
"""
OPERATIONS = [
    (method, path)
    for path, methods in ROUTES.items()
    if path.startswith(("/api/projects", "/api/admin/"))
    for method in methods
]
STRANGERS = {
    "no key": {},
    "an empty key": {"X-Admin-Key": ""},
    "a wrong key": {"X-Admin-Key": "admin_key_for_tests_onlx"},
    "the beginning of the key": {"X-Admin-Key": ADMIN_KEY[:-1]},
    "the key and more": {"X-Admin-Key": ADMIN_KEY + " "},
    "half a character": {"X-Admin-Key": "\ud800"},
    "a project's key": {"X-Admin-Key": API_KEY},
    "a project's key in its own place": {"X-API-Key": API_KEY},
    "the right key in the place of a project's": {"X-API-Key": ADMIN_KEY},
    "a project's key as a bearer token": {"Authorization": f"Bearer {API_KEY}"},
    "the right key as a password": {"Authorization": "Basic " + b64encode(f"x:{ADMIN_KEY}".encode()).decode()},
    "the right key without a scheme": {"Authorization": ADMIN_KEY},
    "a wrong key beside the right one": {"X-Admin-Key": "x", "Authorization": f"Bearer {ADMIN_KEY}"},
    "the parameter's name": {"X-Admin-Key": ADMIN_KEY_PARAMETER},
}


def key_id(aws: Aws) -> str:
    (record,) = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb()).list_all(PROJECT_ID)
    return record.key_id


def fill(path: str, project_id: str, key_id: str) -> str:
    return (
        path.replace("{id}", project_id)
        .replace("{key_id}", key_id)
        .replace("{queue}", "deliveries")
        .replace("{name}", "x")
    )


def send(aws: Aws, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
    filled = fill(path, PROJECT_ID, key_id(aws))
    return call(event(method, filled, headers={"Content-Type": "application/json", **headers}, body=body))


def test_the_table_has_every_route_of_the_administrators() -> None:
    assert sorted(BODIES) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_only_the_administrators_key_is_let_in(
    aws: Aws, project_key: str, admin_key: str, method: str, path: str
) -> None:
    before = aws.items("ProjectsTable")
    for stranger, headers in STRANGERS.items():
        # What they send is wrong too: nobody without the key learns what is looked at, or whether an id exists.
        for answer in (
            send(aws, method, path, headers, "not json"),
            call(event(method, fill(path, "*", "x"), headers=headers)),
        ):
            assert (answer.status, answer.json["error"]) == (401, "unauthorized"), stranger
            assert (
                answer.json["message"] == "The administrator's key is needed as X-Admin-Key or Authorization: Bearer."
            )
    assert aws.items("ProjectsTable") == before
    answer = admin(admin_key, method, fill(path, PROJECT_ID, key_id(aws)), BODIES[method, path])
    assert answer.status == REFUSED.get((method, path), 200), answer.json


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_administrators_key_may_be_a_bearer_token(aws: Aws, admin_key: str, scheme: str) -> None:
    answer = call(event("GET", "/api/projects", headers={"Authorization": f"{scheme} {admin_key}"}))
    assert answer.status == 200


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_without_a_parameter_nobody_is_let_in(
    aws: Aws, project_key: str, admin_key: str, method: str, path: str
) -> None:
    aws.monkeypatch.setenv("ADMIN_KEY_PARAMETER", "")
    for key in (admin_key, "", None):
        assert admin(key, method, fill(path, PROJECT_ID, "x")).status == 401


@pytest.mark.parametrize(
    "secret", ["admin_key_too_short", "admin_local_development_only", "rb_live_local_development_only"]
)
def test_a_key_that_is_short_or_known_to_all_opens_nothing_outside_the_local_stage(
    aws: Aws, admin_key: str, logged: list[dict[str, Any]], secret: str
) -> None:
    Clients.ssm().put_parameter(Name=ADMIN_KEY_PARAMETER, Value=secret, Type="SecureString", Overwrite=True)
    assert admin(secret, "GET", "/api/projects").status == 401
    assert [line["level"] for line in logged] == ["ERROR", "INFO"]
    assert secret not in repr(logged)


def test_the_known_key_opens_the_local_stage(aws: Aws, admin_key: str) -> None:
    aws.monkeypatch.setenv("STAGE", "local")
    known = "admin_local_development_only"
    Clients.ssm().put_parameter(Name=ADMIN_KEY_PARAMETER, Value=known, Type="SecureString", Overwrite=True)
    assert admin(known, "GET", "/api/projects").status == 200


def test_a_key_that_cannot_be_read_lets_nobody_in_and_says_that_it_is_ours(aws: Aws) -> None:
    aws.monkeypatch.setenv("ADMIN_KEY_PARAMETER", "/tests/nothing")
    answer = admin(ADMIN_KEY, "GET", "/api/projects")
    assert (answer.status, answer.json["error"]) == (503, "unavailable")
    assert admin(None, "GET", "/api/projects").status == 401
    assert "/tests" not in answer.raw.decode()


@pytest.mark.parametrize("header", ["X-API-Key", "X-Admin-Key"])
def test_the_administrators_key_opens_no_project(aws: Aws, project_key: str, admin_key: str, header: str) -> None:
    program = {"language": "python", "code": "print(42)"}
    assert post(admin_key, program).status == 401
    for path, methods in ROUTES.items():
        for method in methods:
            is_open = path.startswith("/api/webhooks/recipients/")
            if not is_open and path.startswith(("/api/result", "/api/submit", "/api/webhooks", "/api/deliveries")):
                filled = path.replace("{id}", "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11")
                assert call(event(method, filled, headers={header: admin_key})).status == 401, (method, path)
    assert get(project_key, "/api/results").status == 200
