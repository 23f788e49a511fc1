"""Webhook endpoints and deliveries over HTTP, on the real local stack."""

from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from tests.system.local_stack import run, wait_until
from tests.system.webhook_inbox import Delivery, Inbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def make(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    response = client.post("/api/webhooks", json=fields)
    assert response.status_code == httpx.codes.OK, response.text
    made: dict[str, Any] = response.json()
    return made


def verified(secret: str, delivery: Delivery) -> Any:
    return Webhook(secret).verify(delivery.body.decode(), delivery.headers)


def test_an_endpoint_lives_from_creation_to_deletion(client: httpx.Client, inbox: Inbox) -> None:
    made = make(client, url=inbox.url, events=["submission.completed"], headers={"X-Team": "7"}, enabled=False)
    path = f"/api/webhooks/{made['id']}"
    shown = client.get(path).json()
    latency = shown.pop("latency")
    assert (shown | {"secret": made["secret"]}, latency["last_day"]["deliveries"]) == (made, 0)
    assert client.patch(path, json={"description": "new"}).json()["description"] == "new"
    rotated = client.post(f"{path}/rotate").json()
    shown = client.post(f"{path}/test").json()
    (received,) = inbox.all()
    assert shown["delivered"] is True
    assert shown["request"]["body"].encode() == received.body
    assert received.headers["x-team"] == "7"
    for secret in (made["secret"], rotated["secret"]):
        assert verified(secret, received)["type"] == "webhook.test"
    assert made["id"] in {item["id"] for item in client.get("/api/webhooks", params={"limit": 100}).json()["items"]}
    assert client.delete(path).json() == {"id": made["id"], "deleted": True}
    assert client.get(path).status_code == httpx.codes.NOT_FOUND


def test_a_delivery_is_listed_and_replayed_with_the_same_bytes(client: httpx.Client, inbox: Inbox) -> None:
    done = run(client, "print(42)", webhook_url=inbox.url, webhook_secret=SECRET)
    path = f"/api/deliveries/{done['id']}.run"
    wait_until(lambda: client.get(path).json().get("state") == "delivered", 30, "the webhook is delivered")
    listed = client.get("/api/deliveries", params={"submission_id": done["id"]}).json()["items"]
    assert [(item["id"], item["state"]) for item in listed] == [(f"{done['id']}.run", "delivered")]
    assert listed[0] in client.get("/api/deliveries", params={"state": "delivered", "limit": 100}).json()["items"]
    assert listed[0] in client.get("/api/deliveries", params={"endpoint_id": "run", "limit": 100}).json()["items"]
    assert client.post(f"{path}/replay").status_code == httpx.codes.CONFLICT  # the secret was dropped
    again = client.post(f"{path}/replay", json={"webhook_secret": SECRET})
    assert again.status_code == httpx.codes.ACCEPTED
    wait_until(lambda: client.get(path).json()["attempts_made"] == 2, 30, "the replay is delivered")
    first, second = inbox.of(done["id"])
    assert first.body == second.body
    assert all(verified(SECRET, delivery)["id"] == done["id"] for delivery in (first, second))
    shown = client.get(path).json()
    assert [(attempt["n"], attempt["status_code"]) for attempt in shown["attempts"]] == [(1, 200), (2, 200)]
