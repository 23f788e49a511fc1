"""Interactive work never waits behind batch work."""

from threading import Thread

import pytest

from sandbox_runtime.worker.capacity import Capacity, Priority
from sandbox_runtime.worker.intake import lanes

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH


def test_batch_never_takes_the_last_of_several_slots() -> None:
    capacity = Capacity(3)
    assert capacity.acquire(BATCH, 10) == 2
    assert capacity.acquire(INTERACTIVE, 10) == 1


def test_a_single_slot_serves_both_in_turn() -> None:
    capacity = Capacity(1)
    assert capacity.acquire(BATCH, 10) == 1
    capacity.release(BATCH)
    assert capacity.acquire(INTERACTIVE, 10) == 1


def test_interactive_may_take_every_slot() -> None:
    capacity = Capacity(4)
    assert capacity.acquire(INTERACTIVE, 10) == 4
    assert not capacity.is_idle


def test_a_slot_that_becomes_free_goes_to_interactive_first() -> None:
    capacity = Capacity(2)
    assert capacity.acquire(INTERACTIVE, 2) == 2
    order: list[tuple[Priority, int]] = []
    batch = Thread(target=lambda: order.append((BATCH, capacity.acquire(BATCH, 1))))
    batch.start()
    interactive = Thread(target=lambda: order.append((INTERACTIVE, capacity.acquire(INTERACTIVE, 1))))
    interactive.start()
    while not capacity._interactive_waits:
        pass
    capacity.release(INTERACTIVE)
    interactive.join(5)
    assert order == [(INTERACTIVE, 1)]
    capacity.release(INTERACTIVE)
    batch.join(5)
    assert order == [(INTERACTIVE, 1), (BATCH, 1)]


@pytest.mark.parametrize("priority", list(Priority))
def test_closing_wakes_who_waits_and_gives_nothing(priority: Priority) -> None:
    capacity = Capacity(1)
    capacity.acquire(INTERACTIVE, 1)
    taken: list[int] = []
    waiting = Thread(target=lambda: taken.append(capacity.acquire(priority, 1)))
    waiting.start()
    capacity.close()
    waiting.join(5)
    assert taken == [0]


def test_all_permits_back_is_idle_and_told() -> None:
    told: list[bool] = []
    capacity = Capacity(2, on_release=lambda: told.append(True))
    capacity.acquire(BATCH, 1)
    capacity.acquire(INTERACTIVE, 1)
    capacity.release(BATCH)
    assert not capacity.is_idle
    capacity.release(INTERACTIVE)
    assert capacity.is_idle
    assert len(told) == 2
    assert capacity.acquire(BATCH, 5) == 1


def test_several_slots_poll_both_queues_side_by_side_and_batch_briefly() -> None:
    (interactive,), (batch,) = lanes("i", "b", slots=2, wait_secs=20)
    assert (interactive.queue_url, interactive.wait_secs) == ("i", 20)
    assert (batch.queue_url, batch.wait_secs) == ("b", 1)


def test_one_slot_polls_in_turn_interactive_first() -> None:
    ((first, second),) = lanes("i", "b", slots=1, wait_secs=20)
    assert (first.priority, first.wait_secs) == (INTERACTIVE, 1)
    assert (second.priority, second.wait_secs) == (BATCH, 0)
