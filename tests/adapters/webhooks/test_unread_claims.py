"""Claims without a read: a hint that is stale, forged or meets other writers never changes what is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions import failpoint
from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.webhooks.deliveries.hints import Hint
from functions.webhooks.deliveries.model import Delivery, DeliveryState
from functions.webhooks.endpoints.rows import endpoint_key
from functions.webhooks.sending.claim.leases import Leases
from functions.webhooks.vocabulary.reply import Reply
from tests.adapters.busy_tables import refuse_transactions
from tests.adapters.hook_verification import is_genuine
from tests.adapters.pipeline import SECRET, Pipeline, path_of
from tests.adapters.webhooks.call_counts import CLAIM_AND_OUTCOME, known, owed, sent
from tests.adapters.webhooks.scripted_sends import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint

NO_URL = {"webhook_url": None, "webhook_secret": None}


@pytest.fixture
def endpoint(pipeline: Pipeline) -> Endpoint:
    endpoint = known(pipeline)
    pipeline.receiver.received.clear()
    return endpoint


@pytest.fixture
def unread(pipeline: Pipeline) -> list[bool]:
    """Whether each claim without a read succeeded."""
    outcomes: list[bool] = []
    claim = Leases.claim_unread

    def noted(self: Leases, *given: Any) -> Any:
        claimed = claim(self, *given)
        outcomes.append(claimed is not None)
        return claimed

    pipeline.aws.monkeypatch.setattr(Leases, "claim_unread", noted)
    return outcomes


def forged(hint: str, body: bytes | None = None, **changes: Any) -> str:
    """Return the hint with another copy or other bytes, as an attacker or a defect would write it."""
    parsed = Hint.parse(hint)
    assert parsed.delivery is not None
    made = Hint.with_copy(replace(parsed.delivery, **changes), parsed.body if body is None else body)
    return replace(made, event_id=parsed.event_id, project_id=changes.get("project_id", parsed.project_id)).text


# --- stale and forged hints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b'{"type":"submission.completed","forged":true}'},
        {"url": "http://127.0.0.1:9/stolen"},
        {"url": ""},
        {"secret_box": b"another"},
        {"secret_box": b""},
        {"attempt": 1},
        {"attempts_before": 1},
        {"next_at_ms": 1},
    ],
    ids=lambda changes: "-".join(f"{name}" for name in changes),
)
def test_a_forged_copy_is_not_believed(changes: dict[str, Any], pipeline: Pipeline, unread: list[bool]) -> None:
    submission, (hint,) = owed(pipeline)
    assert pipeline.webhook(forged(hint, **changes)) == []
    assert unread == [False]
    (request,) = pipeline.receiver.received
    event = pipeline.deliveries.get_event(submission.submission_id)
    assert event is not None
    assert (request.webhook_id, request.body) == (submission.submission_id, event.body)
    assert is_genuine(request, SECRET)
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_a_hint_of_another_project_sends_nothing(pipeline: Pipeline, unread: list[bool]) -> None:
    submission, (hint,) = owed(pipeline)
    assert pipeline.webhook(forged(hint, project_id="other")) == []
    assert (unread, pipeline.receiver.received) == ([False], [])
    assert pipeline.state(submission) is DeliveryState.PENDING


def test_a_hint_before_a_replay_claims_nothing_by_itself(pipeline: Pipeline, unread: list[bool]) -> None:
    submission, (hint,) = owed(pipeline)
    pipeline.webhook(hint)
    pipeline.webhook(hint)
    assert unread == [True, False]
    assert pipeline.sends(submission) == 1


def test_an_early_hint_is_not_tried(pipeline: Pipeline, unread: list[bool]) -> None:
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    submission, (hint,) = owed(pipeline)
    pipeline.webhook(hint)
    delivery = pipeline.delivery(submission)
    assert delivery is not None
    pipeline.webhook(Hint.with_copy(delivery).text)
    assert unread == [True]
    assert pipeline.sends(submission) == 1


# --- an endpoint that changed since this process read it ---------------------------------------------------------


def change_url(pipeline: Pipeline, endpoint: Endpoint) -> str:
    pipeline.change_endpoint(endpoint, {"url": pipeline.receiver.url_of("/moved")})
    pipeline.secrets["/moved"] = [SECRET]
    return "/moved"


def rotate(pipeline: Pipeline, endpoint: Endpoint) -> str:
    pipeline.rotate(endpoint, 0)
    return path_of(endpoint.endpoint_id)


def begin_to_fail(pipeline: Pipeline, endpoint: Endpoint) -> str:
    """Let another process record a failure of the endpoint."""
    failing: dict[str, Any] = {"failing_since_ms": 1, "failing_counted_ms": 1, "failing_spread": 2}
    update = ConditionalUpdate(failing, "", {})
    key = endpoint_key(endpoint.project_id, endpoint.endpoint_id)
    Table(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"))._update_unread(update, key)
    return path_of(endpoint.endpoint_id)


@pytest.mark.parametrize("change", [change_url, rotate, begin_to_fail])
def test_a_changed_endpoint_is_read_again(
    change: Callable[[Pipeline, Endpoint], str], pipeline: Pipeline, endpoint: Endpoint, unread: list[bool]
) -> None:
    submission, (hint,) = owed(pipeline, **NO_URL)
    path = change(pipeline, endpoint)
    pipeline.webhook(hint)
    assert unread == [False]
    (request,) = pipeline.receiver.received
    assert request.path == path
    assert is_genuine(request, pipeline.secrets[path][-1])
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert pipeline.at(endpoint).failing is None  # the success was counted
    _, (following,) = owed(pipeline, **NO_URL)
    pipeline.webhook(following)
    assert unread == [False, True]


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (lambda pipeline, endpoint: pipeline.change_endpoint(endpoint, {"enabled": False}), DeliveryState.PAUSED),
        (lambda pipeline, endpoint: pipeline.changes.delete("dev", endpoint.endpoint_id), DeliveryState.CANCELLED),
    ],
    ids=["disabled", "deleted"],
)
def test_a_known_endpoint_that_is_gone_gets_nothing(
    act: Callable[[Pipeline, Endpoint], object],
    state: DeliveryState,
    pipeline: Pipeline,
    endpoint: Endpoint,
    unread: list[bool],
) -> None:
    submission, (hint,) = owed(pipeline, **NO_URL)
    act(pipeline, endpoint)
    pipeline.webhook(hint)
    assert (unread, pipeline.receiver.received) == ([False], [])
    assert pipeline.state(submission, endpoint.endpoint_id) is state


# --- others in the way --------------------------------------------------------------------------------------------


def test_a_lane_that_does_not_answer_is_read(pipeline: Pipeline, unread: list[bool]) -> None:
    egress = pipeline.deliverer.egress
    pipeline.use(replace(pipeline.deliverer, egress=Script(lambda: Reply(15_000, error_code="timeout"))))
    failing, (hint,) = owed(pipeline)
    pipeline.webhook(hint)
    pipeline.use(replace(pipeline.deliverer, egress=egress))
    well, (hint,) = owed(pipeline)
    pipeline.webhook(hint)
    assert unread == [True, False]
    assert pipeline.state(well) is DeliveryState.DELIVERED
    (lane,) = [item for item in pipeline.aws.items("DeliveriesTable") if item["sk"]["S"].startswith("LANE#")]
    assert "failures" not in lane  # the response closed the circuit breaker
    pipeline.time.advance(2)
    _, (hint,) = owed(pipeline)
    pipeline.webhook(hint)
    assert unread == [True, False, True]
    assert pipeline.state(failing) is DeliveryState.RETRYING


def test_no_delivery_overtakes_a_waiting_one(pipeline: Pipeline, unread: list[bool]) -> None:
    narrow = known(pipeline, max_concurrency=1)
    pipeline.receiver.received.clear()
    busy, first = (owed(pipeline, **NO_URL) for _ in range(2))
    pipeline.time.ms += 1
    second = owed(pipeline, **NO_URL)
    assert pipeline.deliverer.claimer.claim(Hint.parse(busy[1][0]), "busy") is not None
    pipeline.time.advance(2)
    pipeline.webhook(*first[1])
    pipeline.time.advance(58)  # the lease of the busy sender, which died
    pipeline.webhook(*second[1])
    assert unread[-1] is False
    received = [request.webhook_id for request in pipeline.sent_to(narrow)]
    assert received == [first[0].submission_id, second[0].submission_id]


@pytest.fixture
def busy(pipeline: Pipeline) -> Iterator[list[str]]:
    codes = refuse_transactions(pipeline.aws.monkeypatch)
    yield codes
    assert codes == []


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
@pytest.mark.parametrize("target", ["run", "endpoint"])
@pytest.mark.parametrize(
    "plan",
    [(1, 0), (3, 0), (0, 1), (0, 4), (2, 2)],
    ids=["claim once", "claim thrice", "outcome once", "outcome four times", "both twice"],
)
def test_busy_rows_cost_tries_and_nothing_else(
    code: str,
    target: str,
    plan: tuple[int, int],
    pipeline: Pipeline,
    endpoint: Endpoint,
    busy: list[str],
    unread: list[bool],
) -> None:
    changes = {} if target == "run" else NO_URL
    submission, hints = owed(pipeline, **changes)
    hint = next(text for text in hints if (json.loads(text)["endpoint_id"] == "run") is (target == "run"))
    pipeline.receiver.received.clear()
    claims, outcomes = plan
    busy += [*[code] * outcomes, "", *[code] * claims]
    assert pipeline.webhook(hint) == []
    endpoint_id = "run" if target == "run" else endpoint.endpoint_id
    assert pipeline.state(submission, endpoint_id) is DeliveryState.DELIVERED
    assert len(pipeline.receiver.received) == 1
    assert len(pipeline.attempts(submission, endpoint_id)) == 1
    assert unread == [True]
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}


def test_a_slots_row_that_stays_busy_does_not_hold_up_the_outcome(pipeline: Pipeline, busy: list[str]) -> None:
    submission, (hint,) = owed(pipeline)
    busy += [*["TransactionConflict"] * 5, ""]
    assert pipeline.webhook(hint) == []
    assert pipeline.state(submission) is DeliveryState.DELIVERED
    assert len(pipeline.attempts(submission)) == 1
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}  # a plain update freed it


# --- deletion between any two calls ---------------------------------------------------------------------------------


def at(name: str, act: Callable[[], object]) -> None:
    """Call `act` once, when the code reaches `name`."""

    def hook(here: str) -> None:
        if here == name:
            failpoint.set_hook(None)
            act()

    failpoint.set_hook(hook)


@pytest.fixture
def _unhooked() -> Iterator[None]:
    yield
    failpoint.set_hook(None)


def delete(pipeline: Pipeline, submission: Submission) -> None:
    """Delete a finished run, as far as webhooks see it."""
    pipeline.deliveries.cancel_event(submission.submission_id)


@pytest.mark.usefixtures("_unhooked")
def test_a_submission_that_is_deleted_before_the_rows_owes_nothing(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    at("complete.before_write", lambda: delete(pipeline, submission))
    pipeline.record(pipeline.completed(submission))
    assert pipeline.hints() == []
    assert pipeline.delivery(submission) is None


@pytest.mark.usefixtures("_unhooked")
@pytest.mark.parametrize("point", ["complete.after_write", "complete.after_hint"])
def test_a_submission_that_is_deleted_around_its_hints_is_not_sent(
    point: str, pipeline: Pipeline, endpoint: Endpoint, unread: list[bool]
) -> None:
    submission = pipeline.submit()
    at(point, lambda: delete(pipeline, submission))
    pipeline.finish(submission)
    hints = pipeline.hints()
    assert all(Hint.parse(hint).body for hint in hints)  # the bytes are in the queue
    assert len(hints) == 2
    pipeline.webhook(*hints)
    pipeline.time.advance(600)
    pipeline.sweep()
    pipeline.webhook(*pipeline.hints())
    assert (set(unread), pipeline.receiver.received) == ({False}, [])
    states = {pipeline.state(submission, name) for name in ("run", endpoint.endpoint_id)}
    assert states == {DeliveryState.CANCELLED}


@pytest.mark.parametrize("cancels", [0, 1, 2])
def test_a_deletion_that_dies_between_its_rows_and_is_repeated_stops_every_send(
    cancels: int, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    submission, hints = owed(pipeline)
    client = pipeline.aws.client("dynamodb")
    update = client.update_item
    calls: list[str] = []

    def dying(**given: Any) -> Any:
        if len(calls) > cancels:
            raise ConnectionError
        calls.append(given["Key"]["sk"]["S"])
        return update(**given)

    with pipeline.aws.monkeypatch.context() as patch:
        patch.setattr(client, "update_item", dying)
        if cancels < 2:
            with pytest.raises(ConnectionError):
                delete(pipeline, submission)
        else:
            delete(pipeline, submission)
    assert calls[0] == "EVENT"
    delete(pipeline, submission)
    pipeline.webhook(*hints)
    assert pipeline.receiver.received == []
    states = {pipeline.state(submission, name) for name in ("run", endpoint.endpoint_id)}
    assert states == {DeliveryState.CANCELLED}
    assert pipeline.deliveries.get_event(submission.submission_id) is None


@pytest.mark.usefixtures("_unhooked")
@pytest.mark.parametrize("point", ["webhook.after_claim", "webhook.after_send", "webhook.after_record"])
def test_a_deletion_during_a_send_stops_every_later_send(point: str, pipeline: Pipeline) -> None:
    pipeline.receiver.answers = [(500, {}, b"")]
    submission, (hint,) = owed(pipeline)
    at(point, lambda: delete(pipeline, submission))
    pipeline.webhook(hint)
    before = len(pipeline.receiver.received)
    for secs in (5, 300, 1_800, 86_400):
        pipeline.time.advance(secs)
        pipeline.sweep()
        pipeline.webhook(hint, *pipeline.hints())
    assert len(pipeline.receiver.received) == before <= 1
    assert pipeline.state(submission) is DeliveryState.CANCELLED
    assert pipeline.slots.read("dev").live(pipeline.time()) == {}


def test_the_copy_of_a_delivery_that_was_claimed_elsewhere_is_of_no_use(pipeline: Pipeline) -> None:
    _, (hint,) = owed(pipeline)
    copy = Hint.parse(hint).delivery
    assert isinstance(copy, Delivery)
    assert pipeline.deliverer.claimer.claim(Hint.parse(hint), "other") is not None
    assert sent(pipeline, hint) == {"TransactWriteItems": 1, "BatchGetItem": 1}
    pipeline.time.advance(61)  # its lease is over
    pipeline.receiver.received.clear()
    calls = sent(pipeline, hint)
    assert {name: calls[name] for name in CLAIM_AND_OUTCOME} == CLAIM_AND_OUTCOME
    assert len(pipeline.receiver.received) == 1
