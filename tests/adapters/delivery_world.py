"""One project's endpoints and runs over real parts, where processes die, queues lose and repeat, and time jumps.

The receiver is a function here, so that it can look at the rows at the very moment of a send, and so that other
workers can act while one is sending. What it notes is held against the invariants I1 to I6 below.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions.aws.dynamodb.items import from_item
from functions.aws.dynamodb.row_codec import write
from functions.aws.dynamodb.table import Table
from functions.clock import from_rfc3339, to_rfc3339
from functions.ids import new_id
from functions.submissions import completed_event
from functions.submissions.completed_event import completed_body
from functions.webhooks.deliveries.model import (
    MAX_DELAY_SECS,
    NOT_SENT,
    RUN_ENDPOINT_ID,
    Delivery,
    DeliveryState,
    Transition,
)
from functions.webhooks.deliveries.replay import recover
from functions.webhooks.deliveries.store import to_delivery
from functions.webhooks.egress import LONG, Egress, Wait
from functions.webhooks.sending import slots
from functions.webhooks.sending.attempts import Attempts, Recorded
from functions.webhooks.sending.deliverer import FRESH_HINT_MS
from functions.webhooks.sending.lanes import Lane, run_lane_name
from functions.webhooks.sending.slots import SLOT_MS, TakenSlot
from functions.webhooks.vocabulary import Reply
from functions.webhooks.webhook_url import host_of
from tests.adapters.hook_receiver import Received
from tests.adapters.hook_verification import is_genuine
from tests.adapters.pipeline import (
    DONE_STATES,
    PROJECT_SLOTS,
    SECRET,
    Crash,
    Pipeline,
    changed,
    crash_at,
    no_sleep,
    path_of,
)
from tests.adapters.transform_programs import PROGRAM, add_project, completion, requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.attempts import ClaimedDelivery

SWEEP_SECS = 60
MOST_SECS = 14 * 86_400
"""Longer than that, and rows would begin to expire."""
MAX_ROUNDS = 60
TIMEOUT = 0
"""The receiver got it, and no answer came back."""
_FORGET = ("disabled_reason", "disabled_at", "failing_since_ms", "failing_counted_ms", "failing_spread")

type Target = tuple[str, str]
"""Webhook id and endpoint id."""


class Violation(BaseException):
    """An invariant does not hold. No handler takes it for a failure of its own and goes on."""


class Receiver(Egress):
    """Egress that ends in the world."""

    def __init__(self, world: DeliveryWorld) -> None:
        super().__init__()
        object.__setattr__(self, "_world", world)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:
        world: DeliveryWorld = self._world  # type: ignore[attr-defined]
        return world.receive(urlsplit(url).path, dict(headers), body, is_unguarded=wait is not LONG)


class NotedAttempts(Attempts):
    """Counts the sends whose lease was lost before they were recorded."""

    def __init__(self, world: DeliveryWorld, table: str, client: Any) -> None:
        super().__init__(table, client, world.pipeline.time, no_sleep)
        self._world = world

    def record(
        self, claimed: ClaimedDelivery, reply: Reply, planned: Transition, rest_until_ms: int = 0
    ) -> Recorded | None:
        recorded = super().record(claimed, reply, planned, rest_until_ms)
        target = (claimed.delivery.event_id, claimed.delivery.endpoint_id)
        if reply.error_code == NOT_SENT:
            self._world.unsent[target] += recorded is not None
        elif recorded is None:
            self._world.unrecorded[target] += 1
        else:
            self._world.held_until_ms.pop(target, None)
        return recorded


@dataclass
class DeliveryWorld:
    """`hints` are messages that the queue holds; `sends` is what arrived, by target.

    `transforming`: runs of transforms that wait for a runner. `transforms`: whether the endpoints have one.
    `late`: they get it by `set_transforms` only.
    """

    pipeline: Pipeline
    project_id: str = field(default_factory=new_id)
    endpoints: list[Endpoint] = field(default_factory=list)
    runs: list[Submission] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    transforms: bool = False
    late: bool = False
    transforming: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    sends: dict[Target, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    accepted: Counter[Target] = field(default_factory=Counter)
    unrecorded: Counter[Target] = field(default_factory=Counter)
    unsent: Counter[Target] = field(default_factory=Counter)
    begun_anew: Counter[Target] = field(default_factory=Counter)
    cancelled: set[str] = field(default_factory=set)
    put: list[dict[str, Any]] = field(default_factory=list)
    stays_ill: bool = False
    meanwhile: Callable[[], None] | None = None
    sending: list[Target] = field(default_factory=list)
    held_until_ms: dict[Target, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table, client = self.pipeline.aws.names["DeliveriesTable"], self.pipeline.aws.client("dynamodb")
        attempts = NotedAttempts(self, table, client)
        self.pipeline.use(changed(self.pipeline.deliverer, egress=Receiver(self), attempts=attempts))
        # No two renderings of a body are alike, as if a new version were deployed between them.
        self._renderings = itertools.count()
        if self.transforms:
            add_project(self.pipeline, self.project_id)
        self.pipeline.aws.monkeypatch.setattr(completed_event, "completed_body", self._render)
        self._events = self.pipeline.aws.client("events").meta.events
        self._events.register("provide-client-params.eventbridge.PutEvents", self._note_put)

    def close(self) -> None:
        """Leave an empty account behind."""
        self._events.unregister("provide-client-params.eventbridge.PutEvents", self._note_put)
        dynamodb = self.pipeline.aws.client("dynamodb")
        for logical_id in ("DeliveriesTable", "SubmissionsTable"):
            for item in self.pipeline.aws.items(logical_id):
                key = {"pk": item["pk"], "sk": item["sk"]}
                dynamodb.delete_item(TableName=self.pipeline.aws.names[logical_id], Key=key)
        self.pipeline.hints()
        requests(self.pipeline)

    def _render(self, *arguments: Any, **named: Any) -> bytes:
        body = json.loads(completed_body(*arguments, **named))
        return json.dumps(body | {"rendering": next(self._renderings)}).encode()

    def _note_put(self, params: Mapping[str, Any], **_: object) -> None:
        self.put += [json.loads(entry["Detail"]) for entry in params["Entries"]]

    # --- what users do ---------------------------------------------------------------

    def add_endpoint(self, **changes: Any) -> Endpoint:
        program = PROGRAM if self.transforms and not self.late else None
        self.endpoints.append(self.pipeline.endpoint(project_id=self.project_id, transform=program, **changes))
        return self.endpoints[-1]

    def set_transforms(self) -> None:
        for endpoint in self.endpoints if self.late else ():
            self.pipeline.change_endpoint(endpoint, {"transform": write(PROGRAM)})

    def add_run(self, *, own_url: bool) -> Submission:
        submission_id = new_id()
        url = self.pipeline.receiver.url_of(f"/run/{submission_id}") if own_url else None
        hook = {"webhook_url": url, "webhook_secret": SECRET if own_url else None}
        run = self.pipeline.submit(submission_id=submission_id, project_id=self.project_id, due_at_ms=None, **hook)
        self.runs.append(run)
        return run

    def now(self, endpoint: Endpoint) -> Endpoint | None:
        return self.pipeline.endpoints.get(self.project_id, endpoint.endpoint_id)

    def hold(self, endpoint: Endpoint) -> None:
        """Take a slot of that endpoint, as a sender does that dies before it claims a delivery."""
        lane = Lane(self.project_id, endpoint.endpoint_id, host_of(endpoint.url), endpoint.max_concurrency)
        slot = TakenSlot(new_id()[:8], self.pipeline.time() + SLOT_MS, lane, self.project_id)
        take = slots.take(slot, PROJECT_SLOTS, self.pipeline.time())
        table = Table(self.pipeline.aws.names["DeliveriesTable"], self.pipeline.aws.client("dynamodb"))
        table._update_unread(take, slots.slots_key(self.project_id))

    def switch(self, endpoint: Endpoint, *, on: bool) -> None:
        """As PATCH does it."""
        if self.now(endpoint) is None:
            return
        off = {"disabled_reason": "request", "disabled_at": to_rfc3339(self.pipeline.time())}
        sets: dict[str, Any] = {"enabled": on} | ({} if on else off)
        self.pipeline.change_endpoint(endpoint, sets, _FORGET if on else ())

    def delete_endpoint(self, endpoint: Endpoint) -> None:
        self.pipeline.endpoints.delete(self.project_id, endpoint.endpoint_id)

    def rotate(self, endpoint: Endpoint, overlap_secs: int) -> None:
        if self.now(endpoint) is not None:
            self.pipeline.rotate(endpoint, overlap_secs)

    def recover(self, endpoint: Endpoint) -> None:
        row = self.now(endpoint)
        if row is None or not row.enabled:
            return
        before = {d.event_id: d.state for d in self.deliveries() if d.endpoint_id == endpoint.endpoint_id}
        self.step(lambda: recover(self.pipeline.env, row, 0))
        for delivery in self.deliveries():
            if delivery.endpoint_id == endpoint.endpoint_id and before[delivery.event_id] is not delivery.state:
                self.begun_anew[delivery.event_id, delivery.endpoint_id] += 1

    def cancel(self, run: Submission) -> None:
        """Delete a finished run, as far as webhooks see it."""
        if self.pipeline.row(run).is_final:
            self.pipeline.deliveries.cancel_event(run.submission_id)
            self.cancelled.add(run.submission_id)

    # --- what processes do -------------------------------------------------------------

    def step(self, act: Callable[[], object], failpoint: str | None = None) -> bool:
        """Run one invocation; False if it died at `failpoint`."""
        depth = len(self.sending)
        try:
            with nullcontext() if failpoint is None else crash_at(failpoint):
                act()
        except Crash as crash:
            if crash.args == ("webhook.after_send",):
                self.unrecorded[self.sending[-1]] += 1
            return False
        finally:
            del self.sending[depth:]
            self.hints += self.pipeline.hints()
            self.transforming += requests(self.pipeline) if self.transforms else []
        return True

    def record(self, run: Submission, failpoint: str | None = None) -> bool:
        body = self.pipeline.completed(run)
        return self.step(lambda: self.pipeline.record(body), failpoint)

    def webhook(self, place: int, failpoint: str | None = None) -> None:
        """Take a message; one whose worker died comes again."""
        if not self.hints:
            return
        hint = self.hints.pop(place % len(self.hints))
        if not self.step(lambda: self.pipeline.webhook(hint), failpoint):
            self.hints.append(hint)

    def transform(self, place: int, outcome: str = "body", failpoint: str | None = None) -> None:
        """End a run of a transform, each with another body. A completion that was not recorded comes again."""
        if not self.transforming:
            return
        request = self.transforming.pop(place % len(self.transforming))
        body = json.dumps({"body": {"written": next(self._renderings)}})
        outputs = {"body": body, "skip": '{"skip": true}', "nothing": "", "failure": body}
        verdict = "RE" if outcome == "failure" else "AC"
        text = completion(request, outputs[outcome].encode(), verdict=verdict)
        if not self.step(lambda: self.pipeline.record(text), failpoint):
            self.transforming.append(request)

    def wait(self, secs: int) -> None:
        """Let time go by, within MOST_SECS of the beginning."""
        begun_ms = from_rfc3339(self.endpoints[0].created_at)
        if self.pipeline.time() + secs * 1000 < begun_ms + MOST_SECS * 1000:
            self.pipeline.time.advance(secs)

    def sweep(self, failpoint: str | None = None) -> bool:
        return self.step(self.pipeline.sweep, failpoint)

    # --- the receivers -----------------------------------------------------------------

    def receive(self, path: str, headers: dict[str, str], body: bytes, *, is_unguarded: bool) -> Reply:
        """Note a send, and check what must be so at its moment: I6, and that it is genuine."""
        request = Received(path, headers, body, self.pipeline.time())
        endpoint_id = path.rpartition("/")[2] if path.startswith("/endpoint/") else RUN_ENDPOINT_ID
        target = (request.webhook_id, endpoint_id)
        delivery = self.pipeline.deliveries.get_delivery(*target)
        if delivery is None or (delivery.state is not DeliveryState.SENDING and not is_unguarded):
            raise Violation("I6: sent what is not claimed")
        if is_unguarded:
            self._check_unguarded(delivery)
            return self._answer(target, body)
        if self.pipeline.time() < self.held_until_ms.get(target, 0):
            raise Violation("I5: sent while another's lease holds")
        self.held_until_ms[target] = delivery.lease_until_ms or 0
        if request.webhook_id in self.cancelled:
            raise Violation("I6: sent after it was deleted")
        secret = SECRET
        self._check_order(delivery)
        if endpoint_id != RUN_ENDPOINT_ID:
            row = self.pipeline.endpoints.get(self.project_id, endpoint_id)
            if row is None or not row.enabled:
                raise Violation("I6: sent to an endpoint that is deleted or disabled")
            secret = self.pipeline.secrets[path_of(endpoint_id)][-1]
        lane = endpoint_id if endpoint_id != RUN_ENDPOINT_ID else run_lane_name("127.0.0.1")
        live = self.pipeline.slots.read(self.project_id).live(self.pipeline.time())
        if not any(slot.lane == lane and not slot.is_resting for slot in live.values()):
            raise Violation("sent without a slot")
        if not is_genuine(request, secret):
            raise Violation("not signed with the secret that holds")
        return self._answer(target, body)

    def _check_unguarded(self, sent: Delivery) -> None:
        """Check an unguarded send. Its delivery is so new that a change since then may not apply yet."""
        since_ms = sent.next_at_ms if sent.is_transformed else from_rfc3339(sent.created_at)
        if abs(self.pipeline.time() - since_ms) > FRESH_HINT_MS:
            raise Violation("sent without a claim from an old hint")
        limited = {
            endpoint.endpoint_id for endpoint in self.endpoints if endpoint.ordered or endpoint.max_concurrency == 1
        }
        if sent.endpoint_id in limited:
            raise Violation("sent without a claim to an endpoint with limits")

    def _answer(self, target: Target, body: bytes) -> Reply:
        if self.transforms and target[1] != RUN_ENDPOINT_ID and list(json.loads(body)) != ["written"]:
            raise Violation("I8: sent what no transform wrote")
        self.sends[target].append(body)
        self.sending.append(target)
        status = self.answers.get(target[1], 200)
        self.accepted[target] += 200 <= status < 300
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return Reply(15_000, error_code="timeout") if status == TIMEOUT else Reply(5, status)

    def _check_order(self, sent: Delivery) -> None:
        """Check I7 for a send to an ordered endpoint. A delivery without a place in the queue was replayed."""
        if sent.endpoint_id not in {endpoint.endpoint_id for endpoint in self.endpoints if endpoint.ordered}:
            return
        queue = self.pipeline.lanes
        others = [each for each in self.deliveries() if each.endpoint_id == sent.endpoint_id and each != sent]
        live = [
            each for each in others if each.state not in DONE_STATES - {DeliveryState.PAUSED} and queue.has_place(each)
        ]
        if not queue.has_place(sent):
            return
        if any(each.attempt > each.attempts_before or each.state is DeliveryState.SENDING for each in live):
            raise Violation("I7: sent before another one that was begun is final")
        if not sent.attempt and any(each.created_at < sent.created_at for each in live):
            raise Violation("I7: sent before an older one")

    # --- the end -------------------------------------------------------------------------

    def deliveries(self) -> list[Delivery]:
        items = self.pipeline.aws.items("DeliveriesTable")
        return [to_delivery(from_item(item)) for item in items if item["sk"]["S"].startswith("DELIVERY#")]

    def next_due_ms(self) -> int | None:
        """When something is due, of all rows of both tables; None if nothing ever is."""
        items = self.pipeline.aws.items("DeliveriesTable") + self.pipeline.aws.items("SubmissionsTable")
        due = (item for item in items if "due_at_ms" in item and not _is_only_checked(item))
        return min((int(item["due_at_ms"]["N"]) for item in due), default=None)

    def settle(self) -> None:
        """Nothing goes wrong any more: sweeps come every minute, every message arrives, receivers are well or not."""
        if not self.stays_ill:
            self.answers.clear()
        self.meanwhile = None
        for run in self.runs:
            self.record(run)
        self.pipeline.announce(*(run.submission_id for run in self.runs))
        # A minute is a round while a delivery of an ordered endpoint waits for the next attempt of the first.
        for _ in range(MAX_ROUNDS * (10 if any(endpoint.ordered for endpoint in self.endpoints) else 1)):
            self._work_off()
            due_ms = self.next_due_ms()
            if due_ms is None:
                return
            assert due_ms - self.pipeline.time() <= MAX_DELAY_SECS * 1000, "I1: due, but not before a day has passed"
            self.pipeline.time.advance(max(SWEEP_SECS, (due_ms - self.pipeline.time()) / 1000))
            expired = {d for d in self.deliveries() if self.is_stuck(d)}
            self.sweep()
            self._work_off()
            assert not expired & set(self.deliveries()), "I4: a lease that ended was not looked after"
        raise AssertionError("I1: something is due for ever")

    def _work_off(self) -> None:
        while self.hints or self.transforming:
            self.webhook(0)
            self.transform(0)

    def is_stuck(self, delivery: Delivery) -> bool:
        return delivery.state is DeliveryState.SENDING and (delivery.lease_until_ms or 0) <= self.pipeline.time()

    def check(self) -> None:
        """Check I1 to I5 after `settle`."""
        rows = {(delivery.event_id, delivery.endpoint_id): delivery for delivery in self.deliveries()}
        bodies: dict[str, set[bytes]] = defaultdict(set)
        for run in self.runs:
            assert self.pipeline.row(run).is_final, "I1: not final"
            if run.submission_id not in self.cancelled:
                wanting = [endpoint for endpoint in self.endpoints if self.now(endpoint) is not None]
                targets = [endpoint.endpoint_id for endpoint in wanting] + [RUN_ENDPOINT_ID] * bool(run.webhook_url)
                assert all((run.submission_id, target) in rows for target in targets), "I1: a target has no row"
                assert any(put.get("id") == run.submission_id for put in self.put), "the bus has not heard of it"
        for target, delivery in rows.items():
            assert delivery.state in DONE_STATES, "I1: not final"
            if delivery.state is DeliveryState.DELIVERED:
                assert self.accepted[target], "I1: delivered, and nobody got it"
            attempts = self.pipeline.attempts_at(*target)
            assert [row["n"] for row in attempts] == list(range(1, delivery.attempt + 1))
            assert delivery.scheduled_attempts <= self.pipeline.deliverer.schedule.max_attempts, "I3"
            assert len(self.sends[target]) + self.unsent[target] == len(attempts) + self.unrecorded[target], (
                "I5: a send without a record"
            )
            assert self.accepted[target] <= 1 + self.unrecorded[target] + self.begun_anew[target], "I5: sent twice"
            bodies[".".join(target) if self._is_transformed(target) else target[0]] |= set(self.sends[target])
        for event_id, sent in bodies.items():
            assert len(sent) <= 1, "I2: other bytes"
            if "." in event_id:
                continue
            details = [_without_rendering(detail) for detail in self.put if detail.get("id") == event_id]
            expected = [_without_rendering(json.loads(body)) | {"project_id": self.project_id} for body in sent]
            assert all(detail in expected for detail in details if sent), "the bus got another body"
        assert set(self.sends) <= set(rows), "I2: another id"
        known = {f"SUBMISSION#{run.submission_id}" for run in self.runs}
        left = {item["pk"]["S"] for item in self.pipeline.aws.items("SubmissionsTable")} - known
        assert not [pk for pk in left if pk.startswith("SUBMISSION#")], "a transform was left behind"

    def _is_transformed(self, target: Target) -> bool:
        return self.transforms and target[1] != RUN_ENDPOINT_ID


def _without_rendering(body: dict[str, Any]) -> dict[str, Any]:
    """The bus gets a rendering of its own."""
    return {name: value for name, value in body.items() if name != "rendering"}


def _is_only_checked(item: Mapping[str, Any]) -> bool:
    """Whether it is a degraded endpoint that owes no event: it is due every five minutes until it recovers."""
    return "degraded_at" in item and item["enabled"]["BOOL"] and "untold_type" not in item
