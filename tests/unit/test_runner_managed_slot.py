"""A managed_slot gives out a slot that is whole, not worn, and prewarmed."""

from threading import Event, Thread
from typing import Any

import pytest

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.languages import prewarm_spec
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.worker.slots import RUNS_PER_TEMPLATE, ManagedSlot
from tests.runner_doubles import RecordedSlot

PREWARMED = prewarm_spec([PYTHON])
NEVER = Event()


class Unstageable(RecordedSlot):
    def prewarm(self, spec: JailSpec) -> None:
        raise JailError("clone", spec.argv[0])


def managed_slot_of(*slots: RecordedSlot) -> Any:
    left: Any = iter(slots)
    return ManagedSlot(0, lambda _index: next(left), PREWARMED)


def test_a_managed_slot_that_is_ready_has_a_run_prewarmed() -> None:
    slot = RecordedSlot()
    assert managed_slot_of(slot).get_ready(NEVER)
    assert slot.prewarmed == [PREWARMED]


def test_a_broken_slot_is_replaced_and_the_new_one_prewarmed() -> None:
    broken, good = RecordedSlot(), RecordedSlot()
    managed_slot = managed_slot_of(broken, good)
    assert managed_slot.get_ready(NEVER, is_usable=False)
    assert (broken.is_closed, broken.prewarmed) == (True, [])
    assert (managed_slot.slot, good.prewarmed) == (good, [PREWARMED])


def test_a_template_is_given_up_after_so_many_runs() -> None:
    worn, fresh = RecordedSlot(), RecordedSlot()
    managed_slot = managed_slot_of(worn, fresh)
    worn.runs = RUNS_PER_TEMPLATE - 1
    assert managed_slot.get_ready(NEVER)
    assert managed_slot.slot is worn
    worn.runs += 1
    assert managed_slot.get_ready(NEVER)
    assert (worn.is_closed, managed_slot.slot) == (True, fresh)


def test_a_slot_that_cannot_prewarm_a_run_is_replaced() -> None:
    bad, good = Unstageable(), RecordedSlot()
    managed_slot = managed_slot_of(bad, good)
    assert managed_slot.get_ready(NEVER)
    assert (bad.is_closed, managed_slot.slot) == (True, good)


def test_a_new_slot_that_cannot_prewarm_a_run_is_closed_before_the_next_one_opens() -> None:
    slots = [RecordedSlot(), Unstageable(), Unstageable(), RecordedSlot()]
    left = iter(slots)

    def opener(index: int) -> Any:
        assert all(slot.is_closed for slot in slots[:index])
        return next(left)

    opened = iter(range(len(slots)))
    managed_slot: Any = ManagedSlot(0, lambda _index: opener(next(opened)), PREWARMED)
    assert managed_slot.get_ready(NEVER, is_usable=False)
    assert [slot.is_closed for slot in slots] == [True, True, True, False]


def test_a_host_that_ran_out_of_descriptors_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    broken, good = RecordedSlot(), RecordedSlot()
    coming = iter((broken, OSError(24, "Too many open files"), JailError("clone", hint="why"), good))

    def opener(_index: int) -> Any:
        found = next(coming)
        if isinstance(found, Exception):
            raise found
        return found

    managed_slot: Any = ManagedSlot(0, opener, PREWARMED)
    assert managed_slot.get_ready(NEVER, is_usable=False)
    assert managed_slot.slot is good
    failures = [vars(record) for record in caplog.records if record.message == "slot not opened"]
    facts = [(found["step"], found["errno"], found["problem"]) for found in failures]
    assert facts == [("open slot", 24, ""), ("clone", 0, "why")]


def test_at_the_end_of_the_worker_nobody_waits_for_a_good_slot() -> None:
    stop = Event()
    stop.set()
    assert not managed_slot_of(RecordedSlot()).get_ready(stop, is_usable=False)


def test_a_slot_that_is_opened_while_the_worker_stops_is_closed_too() -> None:
    slots, is_opening, may_open = [RecordedSlot(), RecordedSlot()], Event(), Event()
    late = slots[1]

    def opener(_index: int) -> Any:
        slot = slots.pop(0)
        if slot is late:
            is_opening.set()
            assert may_open.wait(60)
        return slot

    managed_slot: Any = ManagedSlot(0, opener, PREWARMED)
    threads = [
        Thread(target=managed_slot.get_ready, args=(NEVER,), kwargs={"is_usable": False}),
        Thread(target=managed_slot.close),
    ]
    threads[0].start()
    assert is_opening.wait(60)
    threads[1].start()
    may_open.set()
    for thread in threads:
        thread.join()
    assert late.is_closed
    assert not managed_slot.get_ready(NEVER, is_usable=False), "closed for good"
