"""Slots are given out, waited for and given back without losing or making one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock, Thread
from types import SimpleNamespace

import pytest

from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.worker.scheduler import MOST_WAITING_MESSAGES, Capacity, Job, Poll, Priority, WaitingJob

INTERACTIVE, BATCH = Priority.INTERACTIVE, Priority.BATCH
RELEASES = Lock()  # one at a time, so that each one ends a run of its own


@dataclass(eq=False, kw_only=True)
class Waiting(WaitingJob):
    """A run that tells its test when it starts or is given back. No thread runs it."""

    name: str = "run"
    on_start: Callable[[], None]
    on_give_back: Callable[[], None]

    def run(self, slot: PrewarmedSlot) -> bool:
        raise NotImplementedError(slot)

    def give_back(self) -> None:
        self.on_give_back()


def capacity_of(slots: int, on_release: Callable[[], None] = lambda: None) -> Capacity:
    def start(job: WaitingJob) -> None:
        assert isinstance(job, Waiting)
        job.on_start()

    return Capacity(slots, start, on_release)


def ready(slots: int, *, spare: int = 1, on_release: Callable[[], None] = lambda: None) -> Capacity:
    capacity = capacity_of(slots, on_release)
    for _ in range(slots + spare):
        capacity.add_ready()
    return capacity


@dataclass(eq=False, kw_only=True)
class Part(Job):
    """A part of a run, for a lent slot."""

    name: str = "part"

    def run(self, slot: PrewarmedSlot) -> bool:
        raise NotImplementedError(slot)


def release(capacity: Capacity, project_id: str) -> None:
    """End the run of the project that has begun first."""
    with RELEASES:
        capacity.release(next(run for run in [*capacity._state.running] if run.project_id == project_id))


def end(capacity: Capacity, project_id: str) -> None:
    release(capacity, project_id)
    capacity.add_ready()


def acquire(capacity: Capacity, project_id: str, priority: Priority, wait_secs: float = 0) -> bool:
    """Let a direct run wait for a slot; it gives up after `wait_secs`."""
    started, answered = list[bool](), Event()

    def answer(*, has_slot: bool) -> None:
        started.append(has_slot)
        answered.set()

    run = Waiting(
        project_id=project_id,
        priority=priority,
        on_start=partial(answer, has_slot=True),
        on_give_back=partial(answer, has_slot=False),
        is_message=False,
    )
    capacity.enqueue(run)
    if not answered.wait(wait_secs) and capacity.withdraw(run):
        return False
    return started == [True]


def message(
    events: list[str], name: str, project_id: str, priority: Priority = INTERACTIVE, *, goes_back: bool = False
) -> Waiting:
    return Waiting(
        project_id=project_id,
        priority=priority,
        on_start=partial(events.append, f"{name} starts"),
        on_give_back=partial(events.append, f"{name} back"),
        goes_back=goes_back,
    )


def test_nothing_starts_before_a_slot_is_ready() -> None:
    capacity, events = capacity_of(2), list[str]()
    capacity.enqueue(message(events, "a", "A"))
    assert events == []
    assert capacity.begin_poll(BATCH, 0) == Poll(MOST_WAITING_MESSAGES, may_wait=False)
    capacity.add_ready()
    assert events == ["a starts"]


def test_a_freed_slot_starts_no_run_before_one_is_clean() -> None:
    capacity, events = ready(1, spare=0), list[str]()
    assert acquire(capacity, "A", INTERACTIVE)
    capacity.enqueue(message(events, "a", "A"))
    release(capacity, "A")
    assert events == []
    capacity.add_ready()
    assert events == ["a starts"]


def test_a_direct_run_of_a_project_without_one_starts_on_a_full_host() -> None:
    capacity = ready(2)
    assert [acquire(capacity, "A", INTERACTIVE) for _ in range(3)] == [True, True, False]
    assert [acquire(capacity, "B", INTERACTIVE) for _ in range(2)] == [True, False]


def test_a_freed_slot_goes_to_the_message_of_the_project_below_its_share() -> None:
    capacity, events = ready(2), list[str]()
    for name in ("A", "A", "B"):
        assert acquire(capacity, name, INTERACTIVE)
    for number in range(8):
        capacity.enqueue(message(events, f"a{number}", "A"))
    capacity.enqueue(message(events, "b", "B"))
    end(capacity, "A")
    assert events == []  # each of the two projects has a run, and there are two slots
    end(capacity, "B")
    assert events == ["b starts"]  # the others came before it, but A has its share
    end(capacity, "A")
    assert events == ["b starts", "a0 starts"]


def test_a_message_waits_in_order_while_a_direct_run_gives_up() -> None:
    capacity, events = ready(1, spare=0), list[str]()
    assert acquire(capacity, "A", INTERACTIVE)
    for number in range(5):
        capacity.enqueue(message(events, str(number), "A"))
        assert not acquire(capacity, "A", INTERACTIVE)
    for _ in range(6):
        end(capacity, "A")
    assert events == [f"{number} starts" for number in range(5)]
    assert capacity.is_idle


def test_polls_ask_for_as_many_messages_as_can_start() -> None:
    capacity = ready(3)
    assert capacity.begin_poll(INTERACTIVE, 0) == Poll(3, may_wait=True)
    assert capacity.begin_poll(BATCH, 0) == Poll(2, may_wait=True)
    assert all(acquire(capacity, "A", INTERACTIVE) for _ in range(2))
    assert capacity.begin_poll(INTERACTIVE, 0) == Poll(1, may_wait=True)


def test_a_full_host_looks_for_messages_of_other_projects_up_to_a_bound() -> None:
    capacity, events = ready(2), list[str]()
    assert all(acquire(capacity, "A", INTERACTIVE) for _ in range(2))
    for number in range(MOST_WAITING_MESSAGES):
        most = MOST_WAITING_MESSAGES - number
        assert capacity.begin_poll(INTERACTIVE, 0) == Poll(most, may_wait=False)
        capacity.enqueue(message(events, str(number), "A"))
    assert capacity.begin_poll(INTERACTIVE, 0) is None
    assert capacity.begin_poll(BATCH, 0) == Poll(MOST_WAITING_MESSAGES, may_wait=False)
    assert events == []


def test_a_freed_slot_ends_the_wait_of_a_poller() -> None:
    capacity = ready(1)
    assert acquire(capacity, "A", INTERACTIVE)
    polls: list[Poll | None] = []
    poller = Thread(target=lambda: polls.append(capacity.begin_poll(INTERACTIVE, 60)))
    poller.start()
    end(capacity, "A")
    poller.join(30)
    assert polls == [Poll(1, may_wait=True)]


def test_a_slot_that_no_message_may_take_wakes_no_poller(monkeypatch: pytest.MonkeyPatch) -> None:
    capacity = ready(2)
    woken: list[int] = []
    monkeypatch.setattr(capacity, "_slot_freed", SimpleNamespace(notify_all=lambda: woken.append(1)))
    assert all(acquire(capacity, "A", INTERACTIVE) for _ in range(2))
    woken.clear()
    capacity.add_ready()  # the host stays full
    assert woken == []
    end(capacity, "A")
    assert woken == [1, 1]  # released, and clean


def test_a_worker_with_a_poll_under_way_is_not_idle() -> None:
    capacity = ready(1)
    assert capacity.begin_poll(BATCH, 0)
    assert not capacity.is_idle
    capacity.end_poll()
    assert capacity.is_idle


def test_closing_gives_back_every_waiting_run() -> None:
    capacity, events = ready(1), list[str]()
    acquire(capacity, "A", INTERACTIVE)
    answers: list[bool] = []
    direct = Thread(target=lambda: answers.append(acquire(capacity, "A", INTERACTIVE, 60)))
    direct.start()
    while not capacity._state.waiting:
        pass
    capacity.enqueue(message(events, "waiting", "A"))
    capacity.close()
    direct.join(30)
    capacity.enqueue(message(events, "late", "B"))
    assert (answers, events) == ([False], ["waiting back", "late back"])
    assert capacity.begin_poll(INTERACTIVE, 60) is None


def test_the_last_released_run_ends_the_wait_for_idle() -> None:
    told: list[bool] = []
    capacity = ready(2, on_release=lambda: told.append(capacity.is_idle))
    acquire(capacity, "A", BATCH)
    acquire(capacity, "B", INTERACTIVE)
    release(capacity, "A")
    release(capacity, "B")
    assert told == [False, True]


def test_a_message_that_a_poll_brought_after_the_slot_was_taken_goes_back_once() -> None:
    capacity, events = ready(1), list[str]()
    assert [capacity.begin_poll(priority, 0) for priority in (INTERACTIVE, BATCH)] == [Poll(1, may_wait=True)] * 2
    capacity.enqueue(message(events, "batch", "A", BATCH))
    capacity.enqueue(message(events, "interactive", "A", goes_back=True))
    assert events == ["batch starts"]
    assert capacity.begin_poll(BATCH, 0) == Poll(MOST_WAITING_MESSAGES, may_wait=False), "it came from the other queue"
    assert capacity.begin_poll(INTERACTIVE, 0) is None
    assert events == ["batch starts", "interactive back"]
    capacity.enqueue(message(events, "interactive", "A"))
    assert capacity.begin_poll(INTERACTIVE, 0) == Poll(MOST_WAITING_MESSAGES - 1, may_wait=False)
    end(capacity, "A")
    assert events == ["batch starts", "interactive back", "interactive starts"]


def test_a_worker_that_gives_a_message_back_is_not_idle() -> None:
    capacity, was_idle = capacity_of(1), list[bool]()  # its slot is not ready
    run = Waiting(
        project_id="A",
        priority=BATCH,
        on_start=lambda: None,
        on_give_back=lambda: was_idle.append(capacity.is_idle),
        goes_back=True,
    )
    capacity.enqueue(run)
    assert capacity.begin_poll(BATCH, 0) is None
    assert (was_idle, capacity.is_idle) == ([False], True)


def test_a_message_stays_whose_slot_is_free_before_it_goes_back() -> None:
    capacity, events = ready(1), list[str]()
    assert acquire(capacity, "A", INTERACTIVE)
    capacity.enqueue(message(events, "a", "A", goes_back=True))
    end(capacity, "A")
    end(capacity, "A")
    assert capacity.begin_poll(INTERACTIVE, 0) == Poll(1, may_wait=True)
    assert events == ["a starts"]


@pytest.mark.parametrize("slots", [1, 3])
def test_no_slot_is_lost_or_made_by_many_runs_that_come_and_give_up(slots: int) -> None:
    capacity = ready(slots)

    def work(number: int) -> None:
        project_id = "ABC"[number % 3]
        for turn in range(200):
            priority = BATCH if (number + turn) % 3 == 0 else INTERACTIVE
            if turn % 7 == 0:
                if capacity.begin_poll(priority, 0):
                    capacity.end_poll()
            elif acquire(capacity, project_id, priority, (turn % 5) / 5000):
                end(capacity, project_id)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert capacity.is_idle
    assert (capacity._state.ready, capacity._state.waiting) == (slots + 1, [])


def test_a_slot_is_lent_only_while_no_run_waits_and_one_is_free() -> None:
    capacity, events, part = ready(2, spare=0), list[str](), Part(project_id="A")
    assert acquire(capacity, "A", INTERACTIVE)
    assert (capacity.lend(part), capacity.running) == (True, 2)
    assert not capacity.lend(Part(project_id="A")), "every slot has a run"
    assert not capacity.wants_slots_back
    capacity.enqueue(message(events, "a", "A"))
    assert (capacity.wants_slots_back, events) == (True, [])
    capacity.release(part)
    capacity.add_ready()
    assert (events, capacity.wants_slots_back) == (["a starts"], False)
    end(capacity, "A")
    capacity.enqueue(message(events, "c", "A", BATCH))
    capacity.enqueue(message(events, "b", "B", BATCH))
    assert not capacity.lend(part), "a run waits"


def test_a_run_starts_beside_a_lent_slot_and_wants_it_back() -> None:
    capacity, part = ready(2), Part(project_id="A")
    assert acquire(capacity, "A", INTERACTIVE)
    assert capacity.lend(part)
    assert acquire(capacity, "A", INTERACTIVE)
    assert capacity.wants_slots_back
    capacity.release(part)
    assert (capacity.wants_slots_back, capacity.running) == (False, 2)


def test_a_lent_slot_does_not_keep_the_pollers_from_receiving() -> None:
    capacity = ready(2, spare=0)
    assert acquire(capacity, "A", INTERACTIVE)
    assert capacity.lend(Part(project_id="A"))
    assert capacity.begin_poll(INTERACTIVE, 0) == Poll(1, may_wait=True)


def test_a_worker_that_drains_lends_nothing_and_wants_its_slots_back() -> None:
    capacity = ready(2)
    capacity.close()
    assert (capacity.lend(Part(project_id="A")), capacity.wants_slots_back) == (False, True)


def test_messages_whose_files_are_fetched_take_no_slot_from_others_and_are_bounded() -> None:
    capacity, events = ready(1), list[str]()
    fetching = [message(events, f"a{number}", "A", goes_back=True) for number in range(MOST_WAITING_MESSAGES)]
    for run in fetching:
        run.is_ready = False
    for run in fetching[:-1]:
        capacity.enqueue(run)
    assert capacity.begin_poll(INTERACTIVE, 0) == Poll(1, may_wait=True)
    capacity.end_poll()
    capacity.enqueue(message(events, "b", "B"))
    assert events == ["b starts"]
    end(capacity, "B")
    capacity.enqueue(fetching[-1])
    assert capacity.begin_poll(INTERACTIVE, 0) is None
    capacity.make_ready(fetching[3])
    assert events == ["b starts", "a3 starts"]


def test_a_message_that_was_given_back_does_not_start_when_its_files_come() -> None:
    capacity, events = ready(1), list[str]()
    run = message(events, "a", "A")
    run.is_ready = False
    capacity.enqueue(run)
    capacity.close()
    capacity.make_ready(run)
    assert events == ["a back"]
