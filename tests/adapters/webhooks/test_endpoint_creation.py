"""POST /api/webhooks with an Idempotency-Key: a repeat answers the endpoint of the first call."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from functions.aws.clients import Clients
from functions.clock import now_ms
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.webhooks.endpoints.model import MAX_ENDPOINTS
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, call, event, send

URL = "https://hooks.example.com/"


def create(api_key: str, idempotency_key: str, **fields: Any) -> Answer:
    headers = {"X-API-Key": api_key, "Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    return call(event("POST", "/api/webhooks", headers=headers, body=json.dumps({"url": URL} | fields)))


def count(api_key: str) -> int:
    return len(send(api_key, "GET", "/api/webhooks", query={"limit": "100"}).json["items"])


def test_a_repeat_answers_the_same_endpoint_with_its_secret(project_key: str) -> None:
    first, again, other = create(project_key, "k"), create(project_key, "k"), create(project_key, "other")
    assert (first.status, again.raw) == (200, first.raw)
    assert first.json["secret"].startswith("whsec_")
    assert other.json["id"] != first.json["id"]
    assert count(project_key) == 2


def test_a_repeat_answers_the_same_keys_of_an_asymmetric_endpoint(project_key: str) -> None:
    first, again = (create(project_key, "k", asymmetric=True) for _ in range(2))
    assert (first.json["public_key"][:5], again.raw) == ("whpk_", first.raw)


def test_another_body_is_a_conflict(project_key: str) -> None:
    create(project_key, "k", headers={"x-team": "7"})
    refused = create(project_key, "k", headers={"x-team": "8"})
    assert (refused.status, refused.json["error"]) == (409, "idempotency_conflict")
    assert count(project_key) == 1


def test_a_repeat_after_a_change_answers_the_endpoint_of_now_and_after_its_deletion_none(project_key: str) -> None:
    endpoint = create(project_key, "k").json["id"]
    rotated = send(project_key, "POST", f"/api/webhooks/{endpoint}/rotate").json["secret"]
    assert create(project_key, "k").json["secret"] == rotated
    send(project_key, "DELETE", f"/api/webhooks/{endpoint}")
    gone = create(project_key, "k")
    assert (gone.status, gone.json["error"], count(project_key)) == (409, "conflict", 0)


def claims(aws: Aws) -> list[Any]:
    return [item for item in aws.items("DeliveriesTable") if item["sk"]["S"].startswith("CREATED#")]


def test_a_key_is_kept_for_a_day_and_for_its_project(aws: Aws, project_key: str) -> None:
    first = create(project_key, "k").json["id"]
    (claim,) = claims(aws)
    assert 86_300 < int(claim["ttl"]["N"]) - now_ms() // 1000 <= 86_400
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "Other"))
    assert create(projects.issue_key("other"), "k", description="another body").status == 200
    expired = claim | {"ttl": {"N": str(now_ms() // 1000)}}  # the table deletes it days later
    Clients.dynamodb().put_item(TableName=aws.names["DeliveriesTable"], Item=expired)
    assert create(project_key, "k", description="another body").json["id"] != first


def test_of_many_repeats_at_once_one_creates(project_key: str) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: create(project_key, "k"), range(10)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.raw for answer in answers}) == 1
    assert count(project_key) == 1


def test_a_repeat_of_the_last_endpoint_is_no_breach_of_the_limit(project_key: str) -> None:
    for number in range(MAX_ENDPOINTS - 1):
        create(project_key, f"k{number}")
    last = create(project_key, "last")
    assert create(project_key, "last").raw == last.raw
    assert create(project_key, "one more").status == 409
    assert count(project_key) == MAX_ENDPOINTS


def test_rows_hold_neither_key_nor_body(aws: Aws, project_key: str) -> None:
    create(project_key, "very-hidden-key", headers={"authorization": "Bearer very-hidden-token"})
    (claim,) = claims(aws)
    assert "very-hidden" not in str(claim)
