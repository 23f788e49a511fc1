"""Endpoint rows, and the box that their secrets lie in."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.aws.dynamodb.table import TRIES
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.ids import new_id
from functions.webhooks.endpoints.model import MAX_ENDPOINTS, DisabledReason, Endpoint, FailureStreak
from functions.webhooks.endpoints.store import EndpointLimitError, EndpointStore, SubscriberCache, Subscribers
from functions.webhooks.sealed_secrets import SecretBoxes
from tests.adapters.aws_account import Aws
from tests.adapters.busy_tables import refuse_transactions
from tests.submission_factory import START_MS, FakeTime

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.answered_by("engine", "moto")

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def changes(aws: Aws) -> EndpointStore:
    return EndpointStore(aws.names["DeliveriesTable"], Clients.dynamodb(), quotas_table=aws.names["QuotasTable"])


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
        headers={"authorization": "***"},
        headers_box=b"headers",
        previous_secret_box=b"old",
        previous_until_ms=START_MS,
        enabled=False,
        disabled_reason=DisabledReason.FAILING,
        disabled_at="2026-11-24T12:00:00.000Z",
        failing=FailureStreak(1, 2, 3),
    )


def test_a_row_comes_back_as_it_was_put(store: EndpointStore, changes: EndpointStore) -> None:
    for endpoint in (new_endpoint(), full(new_endpoint())):
        assert changes.create(endpoint)
        assert store.get("dev", endpoint.endpoint_id) == endpoint


def test_an_endpoint_is_found_in_its_own_project_only(store: EndpointStore, changes: EndpointStore) -> None:
    endpoint = new_endpoint()
    changes.create(endpoint)
    assert store.get("other", endpoint.endpoint_id) is None
    assert store.list_all("other") == []
    assert not changes.change(replace(endpoint, project_id="other"), START_MS, {"description": "x"})
    assert not changes.delete("other", endpoint.endpoint_id)
    assert store.get("dev", endpoint.endpoint_id) == endpoint


def test_a_second_put_of_the_same_row_changes_nothing(store: EndpointStore, changes: EndpointStore) -> None:
    endpoint = new_endpoint()
    assert changes.create(endpoint)
    assert not changes.create(replace(endpoint, description="other"))
    assert store.list_all("dev") == [endpoint]


def test_all_are_listed_oldest_first_without_the_row_that_counts_them(
    store: EndpointStore, changes: EndpointStore
) -> None:
    made = [new_endpoint(number=number) for number in (3, 1, 2)]
    for endpoint in made:
        changes.create(endpoint)
    assert store.list_all("dev") == sorted(made, key=lambda endpoint: endpoint.created_at)


def test_there_are_never_more_than_the_most(changes: EndpointStore) -> None:
    made = [new_endpoint() for _ in range(MAX_ENDPOINTS)]
    for endpoint in made:
        changes.create(endpoint)
    with pytest.raises(EndpointLimitError):
        changes.create(new_endpoint())
    assert not changes.create(made[0])  # its own repeat is told apart from a full project
    changes.create(new_endpoint("other"))
    assert changes.delete("dev", made[0].endpoint_id)
    assert not changes.delete("dev", made[0].endpoint_id)
    changes.create(new_endpoint())
    with pytest.raises(EndpointLimitError):
        changes.create(new_endpoint())


def test_a_change_of_an_endpoint_that_another_request_changed_is_refused(
    store: EndpointStore, changes: EndpointStore
) -> None:
    endpoint = new_endpoint()
    changes.create(endpoint)
    # A clock that stands still, or goes back.
    assert changes.change(endpoint, 0, {"description": "first"})
    changed = store.get("dev", endpoint.endpoint_id)
    assert changed is not None
    assert changed.updated_at > endpoint.updated_at
    assert not changes.change(endpoint, 0, {"description": "second"})
    assert changes.change(changed, START_MS, {"enabled": False})
    assert not changes.change(changed, START_MS, {"description": "third"})
    found = store.get("dev", endpoint.endpoint_id)
    assert found is not None
    assert (found.description, found.enabled) == ("first", False)


def test_a_change_removes_the_attributes_that_it_names(store: EndpointStore, changes: EndpointStore) -> None:
    endpoint = full(new_endpoint())
    changes.create(endpoint)
    removes = ("previous_secret_box", "previous_until_ms", "failing_since_ms", "failing_counted_ms", "failing_spread")
    assert changes.change(endpoint, START_MS, {"enabled": True}, removes)
    changed = store.get("dev", endpoint.endpoint_id)
    assert changed is not None
    assert (changed.previous_secret_box, changed.previous_until_ms, changed.failing) == (None, None, None)


# --- the version of a project's endpoints ---------------------------------------------------------------------------


def versions(aws: Aws, project_id: str = "dev") -> list[str | None]:
    """The versions in the quota items of both profiles."""
    items = [item for item in aws.items("QuotasTable") if item["pk"]["S"] == f"PROJECT#{project_id}"]
    return [item.get("endpoints_version", {}).get("S") for item in items]


def test_each_change_renews_the_version_of_its_project_for_both_profiles(
    aws: Aws, store: EndpointStore, changes: EndpointStore
) -> None:
    endpoint = new_endpoint()
    seen: list[str | None] = []
    steps: list[Callable[[], object]] = [
        lambda: changes.create(endpoint),
        lambda: changes.change(endpoint, START_MS, {"enabled": False}),
        lambda: changes.delete("dev", endpoint.endpoint_id),
    ]
    for step in steps:
        assert step()
        first, second = versions(aws)
        assert first == second
        assert first not in {None, *seen}
        seen.append(first)
    assert versions(aws, "other") == []
    assert store.list_all("dev") == []


def test_a_refused_change_leaves_the_version(aws: Aws, changes: EndpointStore) -> None:
    endpoint = new_endpoint()
    changes.create(endpoint)
    before = versions(aws)
    assert not changes.create(endpoint)
    assert not changes.change(replace(endpoint, enabled=False), START_MS, {"description": "x"})
    assert not changes.delete("dev", new_id())
    assert versions(aws) == before


def test_a_list_is_read_once_for_each_version(
    store: EndpointStore, changes: EndpointStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    cache, subscribers = SubscriberCache(store, time), EndpointStore.subscribers

    def counted(self: EndpointStore, project_id: str) -> Subscribers:
        reads[project_id] += 1
        return subscribers(self, project_id)

    monkeypatch.setattr(EndpointStore, "subscribers", counted)
    assert cache.get("dev", "v1") == cache.get("dev", "v1") == Subscribers()
    endpoint = new_endpoint()
    changes.create(endpoint)
    assert cache.get("dev", "v1") == Subscribers()  # of a run that was charged before
    assert cache.get("dev", "v2") == cache.get("dev", "v2") == Subscribers((endpoint,))
    assert cache.get("other", "v2") == Subscribers()
    assert reads == {"dev": 2, "other": 1}


def test_a_list_without_a_version_lives_for_a_minute(
    store: EndpointStore, changes: EndpointStore, time: FakeTime
) -> None:
    cache = SubscriberCache(store, time)
    assert cache.get("dev", None) == Subscribers()
    endpoint = new_endpoint()
    changes.create(endpoint)
    time.advance(59)
    assert cache.get("dev", None) == Subscribers()
    time.advance(1)
    assert cache.get("dev", None) == Subscribers((endpoint,))


# --- contention -----------------------------------------------------------------------------------------------------


@pytest.fixture
def refusals(aws: Aws) -> list[str]:
    return refuse_transactions(aws.monkeypatch)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_busy_row_is_tried_again_and_not_for_ever(
    code: str, store: EndpointStore, changes: EndpointStore, refusals: list[str]
) -> None:
    refusals += [code] * 3
    assert changes.create(new_endpoint())
    refusals += [code] * 100
    with pytest.raises(RowsContendedError):
        changes.create(new_endpoint())
    assert len(refusals) == 100 - TRIES
    with pytest.raises(RowsContendedError):
        changes.delete("dev", new_id())
    assert len(store.list_all("dev")) == 1


def test_another_error_of_a_transaction_is_not_repeated(changes: EndpointStore, refusals: list[str]) -> None:
    refusals += ["ValidationError"] * 2
    with pytest.raises(ClientError, match="TransactionCanceled"):
        changes.create(new_endpoint())
    assert len(refusals) == 1


def test_an_update_waits_for_a_transaction_on_the_same_row_and_not_for_ever(
    store: EndpointStore, changes: EndpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, left = new_endpoint(), [1] * 3
    changes.create(endpoint)
    client = Clients.dynamodb()
    update = client.update_item

    def conflicting(**given: Any) -> Any:
        if left:
            left.pop()
            raise ClientError({"Error": {"Code": "TransactionConflictException", "Message": ""}}, "UpdateItem")
        return update(**given)

    monkeypatch.setattr("functions.aws.dynamodb.table._FIRST_PAUSE_SECS", 0)
    monkeypatch.setattr(client, "update_item", conflicting)
    assert store.begin_work(endpoint, START_MS, START_MS + 1)
    left.extend([1] * 100)
    with pytest.raises(ClientError, match="TransactionConflict"):
        store.end_work(endpoint, START_MS + 1)
    assert len(left) == 100 - TRIES


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


def test_an_opened_secret_is_cached_for_five_minutes(
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


def test_not_everything_is_kept_for_ever(aws: Aws, time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.webhooks.sealed_secrets._MAX_CACHED", 2)
    boxes = SecretBoxes(aws.names["EndpointSecretsKey"], Clients.kms, time)
    for number in range(5):
        boxes.open(boxes.seal(SECRET, "dev", str(number)), "dev", str(number))
    assert len(boxes._opened) == len(boxes._sealed) == 2
