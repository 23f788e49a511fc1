"""Send slots on their row: limits without a read, expired leases, and repeated calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from functions.aws.dynamodb.items import from_item
from functions.aws.dynamodb.table import Table
from functions.webhooks.sending import slots as slot_rows
from functions.webhooks.sending.lanes import FAILURES_TO_OPEN, Lane
from functions.webhooks.sending.slots import HOST_SLOTS, SLOT_MS, Slots, TakenSlot
from tests.submission_factory import START_MS

if TYPE_CHECKING:
    from functions.aws.dynamodb.conditional import ConditionalUpdate
    from tests.adapters.aws_account import Aws

LANE = Lane("dev", "run#" + "a" * 250, "a" * 250, most=3)
LATER = START_MS + SLOT_MS


class Row:
    """The slots row of one project."""

    def __init__(self, aws: Aws, limit: int = 25) -> None:
        self.aws, self.limit, self.made = aws, limit, 0

    def write(self, update: ConditionalUpdate) -> bool:
        table = Table(self.aws.names["DeliveriesTable"], self.aws.client("dynamodb"))
        return table._update_unread(update, slot_rows.slots_key("dev"))

    def take(self, lane: Lane = LANE, now_ms: int = START_MS, slot_id: str = "") -> TakenSlot | None:
        self.made += 1
        slot = TakenSlot(slot_id or f"{self.made:012x}", now_ms + SLOT_MS, lane, "dev")
        return slot if self.write(slot_rows.take(slot, self.limit, now_ms)) else None

    def must_take(self, lane: Lane = LANE, now_ms: int = START_MS) -> TakenSlot:
        slot = self.take(lane, now_ms)
        assert slot is not None
        return slot

    def read(self) -> Slots:
        items = [item for item in self.aws.items("DeliveriesTable") if item["sk"]["S"] == "SEND_SLOTS"]
        return slot_rows.to_slots("dev", from_item(items[0]) if items else {})

    def names(self) -> set[str]:
        (item,) = self.aws.items("DeliveriesTable")
        return set(item)


@pytest.fixture
def row(aws: Aws) -> Row:
    return Row(aws)


def other(number: int, host: str = "", most: int = 20) -> Lane:
    return Lane("dev", f"endpoint-{number}", host or f"{number}.example.com", most)


def test_a_lane_gets_as_many_slots_as_its_limit(row: Row) -> None:
    assert [row.take() is not None for _ in range(5)] == [True] * 3 + [False] * 2
    assert row.take(other(1)) is not None
    assert len(row.read().live(START_MS)) == 4


def test_a_host_gets_as_many_slots_as_its_limit_over_all_lanes(row: Row) -> None:
    taken = [row.take(other(number, "one.example.com")) is not None for number in range(HOST_SLOTS + 2)]
    assert taken == [True] * HOST_SLOTS + [False] * 2
    assert row.take(other(99)) is not None


def test_a_project_gets_as_many_slots_as_its_limit_over_all_hosts(row: Row) -> None:
    row.limit = 4
    assert [row.take(other(number)) is not None for number in range(6)] == [True] * 4 + [False] * 2


def test_an_open_circuit_breaker_gets_one_slot(row: Row) -> None:
    ill = replace(LANE, failures=FAILURES_TO_OPEN)
    assert [row.take(ill) is not None for _ in range(3)] == [True, False, False]


def test_a_freed_slot_can_be_taken_and_freeing_it_again_changes_nothing(row: Row) -> None:
    first, *_ = [row.must_take() for _ in range(3)]
    for _ in range(2):
        assert row.write(slot_rows.free(first, 0, START_MS))
    assert len(row.read().live(START_MS)) == 2
    again = row.must_take()
    assert row.take() is None
    assert row.write(slot_rows.free(first, 0, START_MS))  # long after: not the one that another holds now
    assert row.take() is None
    assert again.slot_id in row.read().live(START_MS)


def test_a_row_without_slots_keeps_no_set_and_no_slot(row: Row) -> None:
    for slot in [row.must_take(other(number)) for number in range(5)]:
        row.write(slot_rows.free(slot, 0, START_MS))
    assert row.names() == {"pk", "sk", "version", "ttl"}


def test_a_resting_slot_counts_until_its_rest_is_over_and_it_was_removed(row: Row) -> None:
    slots = [row.must_take() for _ in range(3)]
    for slot in slots:
        assert row.write(slot_rows.free(slot, START_MS + 500, START_MS))
    assert row.take() is None
    seen = row.read()
    assert all(slot.is_resting for slot in seen.live(START_MS).values())
    assert slot_rows.remove_expired(seen, START_MS + 499) is None
    remove = slot_rows.remove_expired(seen, START_MS + 500)
    assert remove is not None
    assert row.write(remove)
    assert row.write(remove)
    assert row.read().taken == {}
    assert row.take(now_ms=START_MS + 500) is not None


def test_a_slot_that_was_removed_takes_no_rest(row: Row) -> None:
    slot = row.must_take()
    remove = slot_rows.remove_expired(row.read(), LATER)
    assert remove is not None
    row.write(remove)
    assert not row.write(slot_rows.free(slot, LATER + 500, LATER))
    assert row.read().taken == {}


def test_only_expired_slots_are_removed(row: Row) -> None:
    row.must_take()
    alive = row.must_take(now_ms=START_MS + 1)
    remove = slot_rows.remove_expired(row.read(), LATER)
    assert remove is not None
    row.write(remove)
    assert set(row.read().taken) == {alive.slot_id}
    assert [row.take(now_ms=LATER) is not None for _ in range(3)] == [True, True, False]


def test_very_many_expired_slots_are_removed_by_several_updates(aws: Aws) -> None:
    """An expression has at most 4 KiB. All slots of a project expire together if its senders crash together."""
    row = Row(aws, limit=250)
    for number in range(60):
        row.must_take(other(number, host=f"{number}.example.com"))
    for left in (35, 10, 0):
        remove = slot_rows.remove_expired(row.read(), LATER)
        assert remove is not None
        row.write(remove)
        assert len(row.read().taken) == left


def test_a_mark_fails_if_a_slot_was_taken_or_freed_since_the_read(row: Row) -> None:
    assert row.write(slot_rows.mark(row.read(), START_MS))
    slot = row.must_take()
    seen = row.read()
    assert seen.waiting_ms == START_MS
    row.write(slot_rows.free(slot, 0, START_MS))
    assert not row.write(slot_rows.mark(seen, START_MS + 1))
    assert row.write(slot_rows.mark(row.read(), START_MS + 1))


def test_many_senders_at_once_never_pass_a_limit(row: Row) -> None:

    def work(number: int) -> int:
        most = 0
        for step in range(10):
            slot = row.take(LANE, slot_id=f"{number:04x}{step:04x}")
            most = max(most, len(row.read().live(START_MS)))
            if slot is not None:
                row.write(slot_rows.free(slot, 0, START_MS))
        return most

    with ThreadPoolExecutor(8) as threads:
        assert 1 <= max(threads.map(work, range(8))) <= LANE.most
    assert row.read().taken == {}


def test_the_row_of_the_largest_deployment_fits_an_item(row: Row) -> None:
    row.limit = 250
    for number in range(250):
        row.must_take(Lane("dev", f"run#{number}" + "x" * 240, f"{number}" + "x" * 250))
    (item,) = row.aws.items("DeliveriesTable")
    assert len(str(item)) < 400 * 1024
