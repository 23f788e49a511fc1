"""The targets of a kill run: a run's own URL, and a project's endpoints, each with its filter and its behaviour."""

import hashlib
import hmac
import random
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from functions.webhooks.vocabulary import ALERT_EVENTS, SUBMISSION_EVENTS
from tests.system.kill_run.facts import Reception
from tests.system.kill_run.plan import Own
from tests.system.webhook_inbox import Answer, Delivery, open_receiver

RUN: Final = "run"
OWN_SECRETS: Final = {
    Own.WHSEC: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    Own.RAW: "a secret of the customer's own form",
}
SLOW_SECS = 0.4
MAX_FAILURES = 2

type Behaviour = Callable[[Delivery, int], Answer]
"""The answer of a target to a delivery that was sent to it so many times before."""


def prompt(_delivery: Delivery, _sends: int) -> Answer:
    """Say yes at once."""
    return Answer(200)


def slow(_delivery: Delivery, _sends: int) -> Answer:
    """Say yes after a while."""
    return Answer(200, delay_secs=SLOW_SECS)


def flaky(delivery: Delivery, sends: int) -> Answer:
    """Fail once or twice for two of five deliveries, each time in the same way for the same id."""
    chance = random.Random(zlib.crc32(delivery.webhook_id.encode()))  # noqa: S311 - no secret comes of it
    failures = chance.choice([0, 0, 0, 1, MAX_FAILURES])
    answer = chance.choice([Answer(500), Answer(503, headers={"retry-after": "1"}), Answer(404), Answer(None)])
    return answer if sends < failures else Answer(200)


def fails_once_in_ten(delivery: Delivery, sends: int) -> Answer:
    """Fail the first send of one delivery in ten: a few retries, because each delays an ordered endpoint."""
    fails = sends == 0 and zlib.crc32(delivery.webhook_id.encode()) % 10 == 0
    return Answer(503, headers={"retry-after": "1"}) if fails else Answer(200)


@dataclass(frozen=True, slots=True)
class _Kind:
    events: list[str]
    behaviour: Behaviour
    wants_runs: bool
    is_ordered: bool = False
    transform: str | None = None


WRITES = """
import json, os, sys
print(json.dumps({"body": {"written": json.load(sys.stdin)["id"], "by": os.urandom(8).hex()}}))
"""
"""A transform that never writes the same body twice."""
_ENDPOINTS: Final = {
    "all": _Kind([], prompt, wants_runs=True),
    "slow": _Kind([*SUBMISSION_EVENTS], slow, wants_runs=True),
    "flaky": _Kind([*SUBMISSION_EVENTS, "endpoint.disabled"], flaky, wants_runs=True),
    "ordered": _Kind([*SUBMISSION_EVENTS], fails_once_in_ten, wants_runs=True, is_ordered=True),
    "written": _Kind([*SUBMISSION_EVENTS], prompt, wants_runs=True, transform=WRITES),
    "other": _Kind(sorted(ALERT_EVENTS), prompt, wants_runs=False),
}


class Targets:
    """Open targets, and the requests that they got.

    `own_url`: of runs. `wants`: whether an endpoint wants the event of a run. `ordered`: ids of ordered endpoints.
    """

    def __init__(self, own_url: str = "") -> None:
        self.own_url = own_url
        self.wants: dict[str, bool] = {}
        self.ordered: set[str] = set()
        self._secrets = {RUN: tuple(OWN_SECRETS.values())}
        self._receptions: list[Reception] = []
        self._lock = threading.Lock()

    def add(self, endpoint_id: str, secret: str, kind: _Kind) -> None:
        """Note an endpoint that the service has created."""
        self._secrets[endpoint_id] = (secret,)
        self.wants[endpoint_id] = kind.wants_runs
        if kind.is_ordered:
            self.ordered.add(endpoint_id)

    def receive(self, target: str, behaviour: Behaviour, delivery: Delivery) -> Answer:
        """Keep the request, and answer as the target does."""
        problem = _problem(delivery, self._secrets[target])
        with self._lock:
            sends = sum((kept.webhook_id, kept.target) == (delivery.webhook_id, target) for kept in self._receptions)
            answer = behaviour(delivery, sends)
            self._receptions.append(
                Reception(
                    target=target,
                    webhook_id=delivery.webhook_id,
                    received_at=delivery.received_at,
                    answered_at=delivery.received_at + answer.delay_secs,
                    status=answer.status,
                    body=delivery.body,
                    problem=problem,
                )
            )
        return answer

    def all(self) -> tuple[Reception, ...]:
        """Return every request so far."""
        with self._lock:
            return tuple(self._receptions)


@contextmanager
def open_targets(client: httpx.Client) -> Iterator[Targets]:
    """Serve all targets while the block runs, with the endpoints made over the API."""
    targets = Targets()
    with ExitStack() as served:
        targets.own_url = served.enter_context(open_receiver(partial(targets.receive, RUN, prompt)))
        for name, kind in _ENDPOINTS.items():
            # No request comes before the endpoint exists, and its id is known by then.
            ids: list[str] = []
            url = served.enter_context(open_receiver(partial(_receive, targets, ids, kind.behaviour)))
            body: dict[str, Any] = {"url": url, "events": kind.events, "description": name, "ordered": kind.is_ordered}
            if kind.transform is not None:
                body["transform"] = {"language": "python", "code": kind.transform}
            answer = client.post("/api/webhooks", json=body)
            answer.raise_for_status()
            made = answer.json()
            ids.append(made["id"])
            targets.add(made["id"], made["secret"], kind)
        yield targets


def _receive(targets: Targets, ids: list[str], behaviour: Behaviour, delivery: Delivery) -> Answer:
    return targets.receive(ids[0], behaviour, delivery)


def _problem(delivery: Delivery, secrets: tuple[str, ...]) -> str | None:
    for secret in secrets:
        if secret.startswith("whsec_"):
            try:
                Webhook(secret).verify(delivery.body, delivery.headers)
            except WebhookVerificationError:
                continue
            return None
        if hmac.compare_digest(_raw_signature(secret, delivery), delivery.headers["webhook-signature"]):
            return None
    return "its signature is not good"


def _raw_signature(secret: str, delivery: Delivery) -> str:
    content = f"{delivery.webhook_id}.{delivery.headers['webhook-timestamp']}.".encode() + delivery.body
    return "v1," + b64encode(hmac.digest(secret.encode(), content, hashlib.sha256)).decode()
