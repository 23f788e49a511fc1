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
    capacity.release()
    assert capacity.acquire(INTERACTIVE, 10) == 1


def test_interactive_may_take_every_slot() -> None:
    capacity = Capacity(4)
    assert capacity.acquire(INTERACTIVE, 10) == 4
    assert not capacity.is_idle


def test_batch_takes_no_slot_while_only_one_is_free() -> None:
    capacity = Capacity(2)
    assert capacity.acquire(INTERACTIVE, 1) == 1
    assert capacity.acquire(BATCH, 1, wait_secs=0) == 0
    capacity.release()
    assert capacity.acquire(BATCH, 1, wait_secs=0) == 1


def test_pollers_that_wait_hold_no_slot_from_a_direct_run() -> None:
    capacity = Capacity(2)
    assert capacity.begin_poll(INTERACTIVE)
    assert capacity.begin_poll(BATCH)
    assert [capacity.acquire(INTERACTIVE, 1, wait_secs=0) for _ in range(3)] == [1, 1, 0]


def test_a_message_whose_slot_was_taken_gets_the_next_one_before_batch() -> None:
    capacity = Capacity(2)
    assert capacity.begin_poll(INTERACTIVE)
    assert capacity.acquire(INTERACTIVE, 2) == 2
    got: list[int] = []
    waiting = Thread(target=lambda: got.append(capacity.acquire(INTERACTIVE, 1)))
    waiting.start()
    while not capacity._waiting[INTERACTIVE]:
        pass
    assert capacity.acquire(BATCH, 1, wait_secs=0) == 0
    capacity.release()
    waiting.join(5)
    assert got == [1]


def test_a_worker_with_a_poll_under_way_is_not_idle() -> None:
    capacity = Capacity(1)
    assert capacity.begin_poll(BATCH)
    assert not capacity.is_idle
    capacity.end_poll()
    assert capacity.is_idle
    capacity.close()
    assert not capacity.begin_poll(INTERACTIVE)


def test_a_slot_that_becomes_free_goes_to_interactive_first() -> None:
    capacity = Capacity(2)
    assert capacity.acquire(INTERACTIVE, 2) == 2
    order: list[tuple[Priority, int]] = []
    batch = Thread(target=lambda: order.append((BATCH, capacity.acquire(BATCH, 1))))
    batch.start()
    interactive = Thread(target=lambda: order.append((INTERACTIVE, capacity.acquire(INTERACTIVE, 1))))
    interactive.start()
    while not capacity._waiting[INTERACTIVE]:
        pass
    capacity.release()
    interactive.join(5)
    assert order == [(INTERACTIVE, 1)]
    capacity.release()
    capacity.release()
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
    capacity.release()
    assert not capacity.is_idle
    capacity.release()
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


def test_who_came_first_is_served_first_and_who_gave_up_is_passed_over() -> None:
    capacity = Capacity(1)
    capacity.acquire(INTERACTIVE, 1)
    served: list[int] = []

    def wait(number: int) -> None:
        assert capacity.acquire(INTERACTIVE, 1) == 1
        served.append(number)
        capacity.release()

    waiting = []
    for number in range(5):
        waiting.append(Thread(target=wait, args=(number,)))
        waiting[-1].start()
        while len(capacity._waiting[INTERACTIVE]) <= number:
            pass
        assert capacity.acquire(INTERACTIVE, 1, wait_secs=0) == 0
    capacity.release()
    for thread in waiting:
        thread.join(5)
    assert served == list(range(5))
    assert capacity.is_idle


def test_no_permit_is_lost_or_made_by_many_who_come_and_give_up() -> None:
    capacity = Capacity(3)

    def work(number: int) -> None:
        for turn in range(200):
            priority = BATCH if (number + turn) % 3 == 0 else INTERACTIVE
            if turn % 7 == 0:
                if capacity.begin_poll(priority):
                    capacity.end_poll()
            elif taken := capacity.acquire(priority, 1 + turn % 2, wait_secs=(turn % 5) / 5000):
                capacity.release(taken)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert capacity.is_idle
    assert not any(capacity._waiting.values())
