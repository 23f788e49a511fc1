"""Endpoint rows, and the box that their secrets lie in."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.aws.dynamodb.transaction import CONFLICT, transact
from functions.ids import new_id
from functions.webhooks.endpoints import store as endpoints_module
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, DisabledReason, Endpoint, FailureStreak
from functions.webhooks.endpoints.store import EndpointLimitError, EndpointsContendedError, EndpointStore
from functions.webhooks.sending.secret_box import SecretBoxes
from tests.adapters.aws_account import Aws
from tests.submission_factory import START_MS, FakeTime

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def store(aws: Aws) -> EndpointStore:
    return EndpointStore(aws.names["DeliveriesTable"], Clients.dynamodb())


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def boxes(aws: Aws, time: FakeTime) -> SecretBoxes:
    return SecretBoxes(aws.names["EndpointSecretsKey"], Clients.kms, time)


def new_endpoint(project_id: str = "dev", number: int = 0) -> Endpoint:
    at = f"2026-11-24T12:00:{number:02d}.000Z"
    return Endpoint(
        endpoint_id=new_id(),
        project_id=project_id,
        url="https://hooks.example.com/?very-hidden",
        secret_box=b"\0box",
        created_at=at,
        updated_at=at,
    )


def full(endpoint: Endpoint) -> Endpoint:
    return replace(
        endpoint,
        events=("submission.completed",),
        description="né",
        header_names=("authorization",),
        headers_box=b"headers",
        previous_secret_box=b"old",
        previous_until_ms=START_MS,
        enabled=False,
        disabled_reason=DisabledReason.FAILING,
        disabled_at="2026-11-24T12:00:00.000Z",
        failing=FailureStreak(1, 2, 3),
    )


def test_a_row_comes_back_as_it_was_put(store: EndpointStore) -> None:
    for endpoint in (new_endpoint(), full(new_endpoint())):
        assert store.create(endpoint)
        assert store.get("dev", endpoint.endpoint_id) == endpoint


def test_an_endpoint_is_found_in_its_own_project_only(store: EndpointStore) -> None:
    endpoint = new_endpoint()
    store.create(endpoint)
    assert store.get("other", endpoint.endpoint_id) is None
    assert store.list_all("other") == []
    assert store.change("other", endpoint.endpoint_id, {"description": "x"}) is None
    assert store.change_if_unchanged(replace(endpoint, project_id="other"), START_MS, {"description": "x"}) is None
    assert not store.delete("other", endpoint.endpoint_id)
    assert store.get("dev", endpoint.endpoint_id) == endpoint


def test_a_second_put_of_the_same_row_changes_nothing(store: EndpointStore) -> None:
    endpoint = new_endpoint()
    assert store.create(endpoint)
    assert not store.create(replace(endpoint, description="other"))
    assert store.list_all("dev") == [endpoint]


def test_all_are_listed_oldest_first_without_the_row_that_counts_them(store: EndpointStore) -> None:
    made = [new_endpoint(number=number) for number in (3, 1, 2)]
    for endpoint in made:
        store.create(endpoint)
    assert store.list_all("dev") == sorted(made, key=lambda endpoint: endpoint.created_at)


def test_there_are_never_more_than_the_most(store: EndpointStore) -> None:
    made = [new_endpoint() for _ in range(MAX_ENDPOINTS)]
    for endpoint in made:
        store.create(endpoint)
    with pytest.raises(EndpointLimitError):
        store.create(new_endpoint())
    assert not store.create(made[0])  # its own repeat is told apart from a full project
    store.create(new_endpoint("other"))
    assert store.delete("dev", made[0].endpoint_id)
    assert not store.delete("dev", made[0].endpoint_id)
    store.create(new_endpoint())
    with pytest.raises(EndpointLimitError):
        store.create(new_endpoint())


def test_a_change_of_what_was_seen_is_refused_when_it_is_no_longer_so(store: EndpointStore) -> None:
    endpoint = new_endpoint()
    store.create(endpoint)
    # A clock that stands still, or goes back.
    changed = store.change_if_unchanged(endpoint, 0, {"description": "first"})
    assert changed is not None
    assert changed.updated_at > endpoint.updated_at
    assert store.change_if_unchanged(endpoint, 0, {"description": "second"}) is None
    store.change("dev", endpoint.endpoint_id, {"enabled": False})
    assert store.change_if_unchanged(changed, START_MS, {"description": "third"}) is None
    found = store.get("dev", endpoint.endpoint_id)
    assert found is not None
    assert (found.description, found.enabled) == ("first", False)


def test_attributes_are_removed(store: EndpointStore) -> None:
    endpoint = full(new_endpoint())
    store.create(endpoint)
    removes = ("previous_secret_box", "previous_until_ms", "failing_since_ms", "failing_counted_ms", "failing_spread")
    changed = store.change_if_unchanged(endpoint, START_MS, {"enabled": True}, removes)
    assert changed is not None
    assert (changed.previous_secret_box, changed.previous_until_ms, changed.failing) == (None, None, None)
    assert store.get("dev", endpoint.endpoint_id) == changed


def test_a_row_that_is_being_written_is_tried_again_and_not_for_ever(
    store: EndpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.webhooks.endpoints.store.time.sleep", lambda _: None)
    answers = [("None", CONFLICT)] * 3
    monkeypatch.setattr(endpoints_module, "transact", lambda *given: answers.pop() if answers else transact(*given))
    assert store.create(new_endpoint())
    monkeypatch.setattr(endpoints_module, "transact", lambda *_: (CONFLICT, "None"))
    with pytest.raises(EndpointsContendedError):
        store.create(new_endpoint())
    with pytest.raises(EndpointsContendedError):
        store.delete("dev", new_id())
    assert len(store.list_all("dev")) == 1


def test_a_transaction_on_the_same_row_is_waited_for_and_not_for_ever(
    store: EndpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, refusals = new_endpoint(), [1] * 3
    store.create(endpoint)
    client = Clients.dynamodb()
    update = client.update_item

    def conflicting(**given: Any) -> Any:
        if refusals:
            refusals.pop()
            raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, "UpdateItem")
        return update(**given)

    monkeypatch.setattr("functions.aws.dynamodb.conditional.time.sleep", lambda _: None)
    monkeypatch.setattr(client, "update_item", conflicting)
    changed = store.change("dev", endpoint.endpoint_id, {"description": "x"})
    assert changed is not None
    assert changed.description == "x"
    refusals.extend([1] * 100)
    with pytest.raises(ClientError, match="TransactionConflict"):
        store.change("dev", endpoint.endpoint_id, {"description": "y"})
    assert 0 < len(refusals) < 100


# --- secrets at rest ------------------------------------------------------------------------------------------------


def test_a_box_opens_for_its_owner_and_holds_nothing_readable(boxes: SecretBoxes) -> None:
    box = boxes.seal(SECRET, "dev", "endpoint")
    assert SECRET.encode() not in box
    assert boxes.open(box, "dev", "endpoint") == SECRET
    assert boxes.seal(SECRET, "dev", "other") != box


@pytest.mark.parametrize(("project", "endpoint"), [("other", "endpoint"), ("dev", "other"), ("", "")])
def test_a_box_in_anothers_row_does_not_open_even_when_it_was_opened_before(
    boxes: SecretBoxes, project: str, endpoint: str
) -> None:
    box = boxes.seal(SECRET, "dev", "endpoint")
    assert boxes.open(box, "dev", "endpoint") == SECRET
    with pytest.raises(Exception, match=r"InvalidCiphertext|^$") as refused:
        boxes.open(box, project, endpoint)
    assert SECRET not in str(refused.value)


def test_what_was_opened_is_kept_for_five_minutes(
    boxes: SecretBoxes, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = boxes.seal(SECRET, "dev", "endpoint")
    boxes.open(box, "dev", "endpoint")

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "DisabledException", "Message": ""}}, "Decrypt")

    monkeypatch.setattr(Clients.kms(), "decrypt", refuse)
    time.advance(299)
    assert boxes.open(box, "dev", "endpoint") == SECRET
    time.advance(1)
    with pytest.raises(ClientError):
        boxes.open(box, "dev", "endpoint")


def test_not_everything_is_kept_for_ever(boxes: SecretBoxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.webhooks.sending.secret_box._MAX_CACHED", 2)
    for number in range(5):
        boxes.open(boxes.seal(SECRET, "dev", str(number)), "dev", str(number))
    assert len(boxes._opened._found) == len(boxes._sealed._found) == 2
