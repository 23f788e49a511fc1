"""The choice of the spec that a slot is prepared for."""

from dataclasses import replace
from typing import Any, cast

import pytest

from sandbox_runtime.jail import GuestPipes, JailError, JailSpec, Limits, WaitingCommand
from sandbox_runtime.jail.spec import GuestFile
from sandbox_runtime.prewarm import DataSlot, PrewarmedSlot, WaitingPool
from tests.runner_doubles import CLEAN, RecordedSlot

LIMITS = Limits(1, 1, 1 << 20, 1, 1, 1, 1).of_set_up
DEFAULT, OTHER, THIRD = (JailSpec((f"/bin/{name}",), LIMITS) for name in ("default", "other", "third"))


class Slots:
    """A warm slot and the double that it owns."""

    def __init__(self) -> None:
        self.inner = RecordedSlot()
        self.warm = PrewarmedSlot(cast("Any", self.inner), WaitingPool((), cast("Any", None)))

    def request(self, *steps: JailSpec) -> JailSpec:
        """Serve one, then make ready: what was prewarmed."""
        for step in steps:
            assert self.warm.answer(replace(step, files=(GuestFile("code", b"secret"),), stdin=b"secret")) is CLEAN
        self.warm.prewarm(DEFAULT)
        return self.inner.prewarmed[-1]


@pytest.fixture
def slots() -> Slots:
    return Slots()


def test_a_new_slot_is_prewarmed_on_request(slots: Slots) -> None:
    slots.warm.prewarm(DEFAULT)
    assert slots.inner.prewarmed == [DEFAULT]


def test_the_first_step_of_most_requests_is_prewarmed(slots: Slots) -> None:
    assert slots.request(OTHER, THIRD) == OTHER
    assert slots.request(DEFAULT) == DEFAULT, "as often: the later one"
    assert slots.request(OTHER, THIRD) == OTHER
    assert slots.request(DEFAULT) == DEFAULT
    assert slots.request(DEFAULT) == DEFAULT
    assert slots.request(THIRD) == DEFAULT
    for _ in range(8):
        prewarmed = slots.request(THIRD, OTHER)
    assert prewarmed == THIRD


def test_nothing_that_was_run_is_kept_for_the_next(slots: Slots) -> None:
    prewarmed = slots.request(replace(OTHER, variables=(("TOKEN", "secret"),)))
    assert (prewarmed.files, prewarmed.stdin, prewarmed.variables) == ((), b"", ())


def test_requests_with_other_variables_are_the_same_run_to_prepare(slots: Slots) -> None:
    events = [replace(OTHER, variables=(("RUSTBOX_EVENT_ID", str(number)),)) for number in range(2)]
    assert slots.request(THIRD) == THIRD
    assert slots.request(events[0]) == OTHER
    assert slots.request(events[1]) == OTHER


def test_requests_with_other_time_and_output_are_the_same_run_to_prepare(slots: Slots) -> None:
    longer, more_memory = replace(LIMITS, wall_time_secs=9, output_bytes=9), replace(LIMITS, memory_bytes=1 << 21)
    assert slots.request(THIRD) == THIRD
    assert slots.request(replace(OTHER, limits=longer)) == OTHER
    assert slots.request(OTHER) == OTHER
    assert slots.request(replace(THIRD, limits=more_memory)) == OTHER


def test_a_step_that_a_command_could_wait_for_is_prewarmed_without_it(slots: Slots) -> None:
    waiting = replace(OTHER, waiting=WaitingCommand(("/bin/true",), 0))
    assert slots.request(waiting, waiting) == OTHER


def test_nothing_is_prewarmed_where_most_runs_have_a_network(slots: Slots) -> None:
    assert slots.request(OTHER) == OTHER
    for namespace in range(8):
        slots.warm.answer(replace(OTHER, net_namespace=namespace))
        slots.warm.prewarm(DEFAULT)
    before = len(slots.inner.prewarmed)
    slots.warm.answer(replace(OTHER, net_namespace=9))
    slots.warm.prewarm(DEFAULT)
    assert len(slots.inner.prewarmed) == before
    assert all(spec.net_namespace is None for spec in slots.inner.prewarmed)


class LentData:
    """A data slot that is always free, and whose runs all fail."""

    is_lent = False

    def borrow(self, _: JailSpec) -> RecordedSlot:
        return RecordedSlot(JailError("talk to the template", hint="it was killed"))

    def give_back(self) -> None:
        """Take it back."""


@pytest.mark.parametrize(
    ("spec", "runs_again"),
    [
        (OTHER, True),
        (replace(OTHER, pipes=GuestPipes(-1, -1)), False),  # they are closed by then: another run may have the numbers
        (replace(OTHER, net_namespace=9), False),  # hosts have seen its requests
    ],
)
def test_a_run_that_failed_in_a_data_slot_runs_again_only_without_pipes_and_network(
    spec: JailSpec, runs_again: int
) -> None:
    inner, data = RecordedSlot(), cast("DataSlot", LentData())
    warm = PrewarmedSlot(cast("Any", inner), WaitingPool((), cast("Any", None)), (data,))
    if runs_again:
        assert warm.answer(spec) is CLEAN
    else:
        with pytest.raises(JailError):
            warm.answer(spec)
    assert len(inner.specs) == runs_again
