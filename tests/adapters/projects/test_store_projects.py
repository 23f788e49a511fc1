import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.aws.dynamodb.items import key, to_item
from functions.aws.dynamodb.transaction import RowsContendedError
from functions.clock import to_rfc3339
from functions.projects import store as projects
from functions.projects.model import Project
from functions.projects.store import KEY_FRESH_MS, KeyProblem, KeyStore, ProjectStore
from tests.adapters.aws_account import Aws
from tests.adapters.busy_tables import refuse_transactions
from tests.submission_factory import START_MS, FakeTime

pytestmark = pytest.mark.answered_by("engine", "moto")

PROJECT = Project("dev", "Development", ("judge",))


@pytest.fixture
def store(aws: Aws, time: FakeTime) -> ProjectStore:
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    store.create_project(PROJECT)
    return store


def opened(store: ProjectStore, api_key: str) -> Project | KeyProblem:
    """The project that a key opens, or why it opens none."""
    found = store.find_key(api_key)
    return found if isinstance(found, KeyProblem) else found.project


def set_attribute(aws: Aws, pk: str, sk: str, name: str) -> None:
    aws.client("dynamodb").update_item(
        TableName=aws.names["ProjectsTable"],
        Key=key(pk, sk),
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": {"S": to_rfc3339(START_MS)}},
    )


def test_a_key_opens_its_project(store: ProjectStore) -> None:
    issued = store.issue_key("dev")
    assert issued.startswith("rb_live_")
    assert opened(store, issued) == PROJECT
    assert store.issue_key("dev") != issued


@pytest.mark.parametrize("text", ["", "rb_live_", "x" * 10_000, "\ud800", "KEY#", "ключ"])
def test_an_unknown_key_opens_nothing(store: ProjectStore, text: str) -> None:
    assert store.find_key(text) is (KeyProblem.UNKNOWN if text else KeyProblem.MISSING)


def test_no_part_of_the_table_holds_a_key(store: ProjectStore, aws: Aws) -> None:
    issued = store.issue_key("dev")
    assert issued not in repr(aws.items("ProjectsTable"))
    assert issued[:12] in repr(aws.items("ProjectsTable"))


def test_a_revoked_key_opens_nothing_from_then_on(store: ProjectStore, aws: Aws) -> None:
    issued, other = store.issue_key("dev"), store.issue_key("dev")
    (pk,) = [item["pk"]["S"] for item in aws.items("ProjectsTable") if issued[:12] == item.get("prefix", {}).get("S")]
    set_attribute(aws, pk, "KEY", "revoked_at")
    assert store.find_key(issued) is KeyProblem.REVOKED
    assert opened(store, other) == PROJECT


@pytest.mark.parametrize(("sk", "name"), [("KEY", "revoked_at"), ("PROJECT", "disabled_at")])
def test_a_key_in_use_that_is_revoked_opens_nothing_three_seconds_later(
    store: ProjectStore, aws: Aws, time: FakeTime, sk: str, name: str
) -> None:
    issued = store.issue_key("dev")
    assert opened(store, issued) == PROJECT
    (pk,) = [item["pk"]["S"] for item in aws.items("ProjectsTable") if item["sk"]["S"] == sk]
    set_attribute(aws, pk, sk, name)
    time.advance(KEY_FRESH_MS / 1000)
    assert store.find_key(issued) is (KeyProblem.REVOKED if sk == "KEY" else KeyProblem.DISABLED)


def test_a_new_key_is_good_although_it_was_tried_before(store: ProjectStore) -> None:
    assert store.find_key("rb_live_soon") is KeyProblem.UNKNOWN
    store.issue_key("dev", api_key="rb_live_soon")
    assert opened(store, "rb_live_soon") == PROJECT


def test_a_kept_key_is_not_read_again_and_many_are_not_kept_for_ever(
    store: ProjectStore, aws: Aws, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "_MAX_CACHED", 2)
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    issued = [store.issue_key("dev") for _ in range(5)]
    assert [opened(store, key) for key in issued] == [PROJECT] * 5
    assert len(store._cached) <= 2
    monkeypatch.setattr(store, "_read_key", lambda *_: None)
    assert opened(store, issued[-1]) == PROJECT


def test_an_expired_key_opens_nothing(store: ProjectStore, time: FakeTime) -> None:
    issued = store.issue_key("dev", expires_at=to_rfc3339(START_MS + 1_000))
    assert opened(store, issued) == PROJECT
    time.advance(1)
    assert store.find_key(issued) is KeyProblem.EXPIRED


def test_a_disabled_project_is_closed_to_all_its_keys(store: ProjectStore, aws: Aws) -> None:
    issued = store.issue_key("dev")
    set_attribute(aws, "PROJECT#dev", "PROJECT", "disabled_at")
    assert store.find_key(issued) is KeyProblem.DISABLED


def test_a_key_without_its_project_opens_nothing(store: ProjectStore, aws: Aws) -> None:
    issued = store.issue_key("dev")
    aws.client("dynamodb").delete_item(TableName=aws.names["ProjectsTable"], Key=key("PROJECT#dev", "PROJECT"))
    assert store.find_key(issued) is KeyProblem.DISABLED


def test_no_key_is_issued_for_a_project_that_does_not_exist(store: ProjectStore, aws: Aws) -> None:
    with pytest.raises(LookupError):
        store.issue_key("gone")
    assert [item for item in aws.items("ProjectsTable") if "KEY" in item["sk"]["S"]] == []


def test_a_local_stage_may_choose_its_key(store: ProjectStore) -> None:
    assert store.issue_key("dev", api_key="rb_live_local_development_only") == "rb_live_local_development_only"
    assert opened(store, "rb_live_local_development_only") == PROJECT


# --- rows from before keys had ids ----------------------------------------------------------------------------------


def put(aws: Aws, item: Mapping[str, Any]) -> None:
    aws.client("dynamodb").put_item(TableName=aws.names["ProjectsTable"], Item=to_item(item))


@pytest.fixture
def old_key(aws: Aws) -> str:
    """Give a key whose rows, and its project's, are those that the first version wrote."""
    created = {"created_at": to_rfc3339(START_MS)}
    put(aws, {"pk": "PROJECT#old", "sk": "PROJECT", "name": "Old", "profiles": ["judge"], **created})
    hashed = hashlib.sha256(b"rb_live_old").hexdigest()
    put(aws, {"pk": f"KEY#{hashed}", "sk": "KEY", "project_id": "old", "prefix": "rb_live_old", **created})
    return "rb_live_old"


def test_a_key_and_a_project_without_the_newer_rows_are_good(store: ProjectStore, aws: Aws, old_key: str) -> None:
    assert opened(store, old_key) == Project("old", "Old", ("judge",))
    assert KeyStore(aws.names["ProjectsTable"], Clients.dynamodb()).list_all("old") == []


def test_such_rows_get_the_newer_ones_when_they_are_seeded_again(
    store: ProjectStore, aws: Aws, time: FakeTime, old_key: str
) -> None:
    registry = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    keys = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    time.advance(60)
    for _ in range(2):  # as a local stack does at each start
        found = registry.get("old")
        assert found is not None
        store.create_project(found.project)
        store.issue_key("old", api_key=old_key)
    (listed,) = [record for record in registry.page(10).rows if record.project.project_id == "old"]
    (known,) = keys.list_all("old")
    assert listed.created_at == known.created_at == to_rfc3339(START_MS)
    assert opened(store, old_key) == Project("old", "Old", ("judge",))


# --- the last use of a key ------------------------------------------------------------------------------------------


def last_use(aws: Aws) -> str | None:
    (record,) = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb()).list_all("dev")
    return record.last_used_at


def test_a_keys_last_use_is_noted_once_a_minute(store: ProjectStore, aws: Aws, time: FakeTime) -> None:
    issued = store.issue_key("dev")
    noted: list[str] = []
    for _ in range(45):  # three minutes of a request every four seconds, each of which reads the key anew
        assert opened(store, issued) == PROJECT
        noted.append(last_use(aws) or "")
        time.advance(4)
    assert noted[0] == to_rfc3339(START_MS)
    assert sorted(set(noted)) == [to_rfc3339(START_MS + 60_000 * minute) for minute in range(3)]


def test_two_functions_note_the_same_use_once(store: ProjectStore, aws: Aws, time: FakeTime) -> None:
    issued = store.issue_key("dev")
    other = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    store.find_key(issued)
    time.advance(30)
    other.find_key(issued)
    assert last_use(aws) == to_rfc3339(START_MS)


def test_a_key_that_opens_nothing_is_not_noted(store: ProjectStore, aws: Aws, time: FakeTime) -> None:
    issued = store.issue_key("dev", expires_at=to_rfc3339(START_MS))
    assert store.find_key(issued) is KeyProblem.EXPIRED
    assert last_use(aws) is None


def test_a_use_that_cannot_be_noted_is_logged_and_not_tried_again_for_a_minute(
    store: ProjectStore, time: FakeTime, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    issued, tries = store.issue_key("dev"), []

    def refuse(**arguments: Any) -> None:
        tries.append(arguments)
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": issued}}, "UpdateItem")

    monkeypatch.setattr(Clients.dynamodb(), "update_item", refuse)
    for _ in range(16):
        assert opened(store, issued) == PROJECT
        time.advance(4)
    assert len(tries) == 2
    assert [line["message"] for line in logged] == ["Last use of a key not recorded"] * 2
    assert issued not in repr(logged)


def test_a_key_that_is_removed_does_not_come_back_by_a_note_of_its_use(store: ProjectStore, aws: Aws) -> None:
    issued = store.issue_key("dev")
    hashed = hashlib.sha256(issued.encode()).hexdigest()
    aws.client("dynamodb").delete_item(TableName=aws.names["ProjectsTable"], Key=key(f"KEY#{hashed}", "KEY"))
    store._use.note(hashed, None, START_MS)
    assert issued[:12] not in repr(aws.items("ProjectsTable"))
    assert hashed not in [item["pk"]["S"].removeprefix("KEY#") for item in aws.items("ProjectsTable")]


def test_busy_rows_of_a_project_are_tried_again_and_not_for_ever(aws: Aws, store: ProjectStore) -> None:
    codes = refuse_transactions(aws.monkeypatch)
    codes += ["TransactionConflict", "", "TransactionConflict"]
    store.create_project(PROJECT)
    assert opened(store, store.issue_key(PROJECT.project_id)) == PROJECT
    assert codes == []
    codes += ["TransactionConflict"] * 100
    with pytest.raises(RowsContendedError):
        store.create_project(PROJECT)
    with pytest.raises(RowsContendedError):
        store.issue_key(PROJECT.project_id)
