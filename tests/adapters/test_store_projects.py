import pytest

from functions.core.clock import to_rfc3339
from functions.core.project import Project
from functions.settings import Clients
from functions.store import projects
from functions.store.items import key
from functions.store.projects import KEY_FRESH_MS, ProjectStore
from tests.adapters.aws_account import Aws
from tests.submission_factory import START_MS, FakeTime

PROJECT = Project("dev", "Development", ("judge",))


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def store(aws: Aws, time: FakeTime) -> ProjectStore:
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb(), time)
    store.create_project(PROJECT)
    return store


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
    assert store.find_key(issued) == PROJECT
    assert store.issue_key("dev") != issued


@pytest.mark.parametrize("text", ["", "rb_live_", "x" * 10_000, "\ud800", "KEY#", "ключ"])
def test_an_unknown_key_opens_nothing(store: ProjectStore, text: str) -> None:
    assert store.find_key(text) is None


def test_no_part_of_the_table_holds_a_key(store: ProjectStore, aws: Aws) -> None:
    issued = store.issue_key("dev")
    assert issued not in repr(aws.items("ProjectsTable"))
    assert issued[:12] in repr(aws.items("ProjectsTable"))


def test_a_revoked_key_opens_nothing_from_then_on(store: ProjectStore, aws: Aws) -> None:
    issued, other = store.issue_key("dev"), store.issue_key("dev")
    (pk,) = [item["pk"]["S"] for item in aws.items("ProjectsTable") if issued[:12] == item.get("prefix", {}).get("S")]
    set_attribute(aws, pk, "KEY", "revoked_at")
    assert store.find_key(issued) is None
    assert store.find_key(other) == PROJECT


@pytest.mark.parametrize(("sk", "name"), [("KEY", "revoked_at"), ("PROJECT", "disabled_at")])
def test_a_key_in_use_that_is_revoked_opens_nothing_three_seconds_later(
    store: ProjectStore, aws: Aws, time: FakeTime, sk: str, name: str
) -> None:
    issued = store.issue_key("dev")
    assert store.find_key(issued) == PROJECT
    (pk,) = [item["pk"]["S"] for item in aws.items("ProjectsTable") if item["sk"]["S"] == sk]
    set_attribute(aws, pk, sk, name)
    time.advance(KEY_FRESH_MS / 1000)
    assert store.find_key(issued) is None


def test_a_new_key_is_good_although_it_was_tried_before(store: ProjectStore) -> None:
    assert store.find_key("rb_live_soon") is None
    store.issue_key("dev", api_key="rb_live_soon")
    assert store.find_key("rb_live_soon") == PROJECT


def test_a_kept_key_is_not_read_again_and_many_are_not_kept_for_ever(
    store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "_MOST_SEEN", 2)
    issued = [store.issue_key("dev") for _ in range(5)]
    assert [store.find_key(key) for key in issued] == [PROJECT] * 5
    assert len(store._seen) <= 2
    monkeypatch.setattr(store, "_read_key", lambda *_: None)
    assert store.find_key(issued[-1]) == PROJECT


def test_an_expired_key_opens_nothing(store: ProjectStore, time: FakeTime) -> None:
    issued = store.issue_key("dev", expires_at=to_rfc3339(START_MS + 1_000))
    assert store.find_key(issued) == PROJECT
    time.advance(1)
    assert store.find_key(issued) is None


def test_a_disabled_project_is_closed_to_all_its_keys(store: ProjectStore, aws: Aws) -> None:
    issued = store.issue_key("dev")
    set_attribute(aws, "PROJECT#dev", "PROJECT", "disabled_at")
    assert store.find_key(issued) is None


def test_a_key_without_its_project_opens_nothing(store: ProjectStore) -> None:
    assert store.find_key(store.issue_key("gone")) is None


def test_a_local_stage_may_choose_its_key(store: ProjectStore) -> None:
    assert store.issue_key("dev", api_key="rb_live_local_development_only") == "rb_live_local_development_only"
    assert store.find_key("rb_live_local_development_only") == PROJECT
