"""Crash the pipeline at every named place, lose and repeat its messages, and hold it to the invariants.

I1 every owed delivery ends in a final state. I2 all its sends carry the same id and bytes. I3 attempts stay within the
schedule. I4 no row stays `sending` past its lease and two sweeps. I5 a second send needs a crash between send and
record, or a send without an answer. I6 nothing is sent once it is cancelled.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from functions.submissions.model import Submission
from functions.webhooks.deliveries.model import HINTED_MS, DeliveryState
from tests.adapters.pipeline import DONE_STATES, RECORD_POINTS, Crash, Pipeline, crash_at
from tests.choice import examples

WEBHOOK_POINTS = ("webhook.after_claim", "webhook.after_send", "webhook.after_record")
SWEEP_POINTS = ("sweep.after_take", "sweep.mid_page")
SWEEP_SECS = 60
MAX_ROUNDS = 20  # sweeps until all must be final


@dataclass
class World:
    """A pipeline whose processes die and whose queues lose, delay and repeat; counts what excuses a second send."""

    pipeline: Pipeline
    is_guarded: bool
    hints: list[str] = field(default_factory=list)
    unrecorded_sends: int = 0

    def step(self, act: Callable[[], object], failpoint: str | None = None) -> bool:
        """Run one invocation; False if it died at `failpoint`."""
        try:
            if failpoint is None:
                act()
            else:
                with crash_at(failpoint):
                    act()
        except Crash as crash:
            self.unrecorded_sends += crash.args == ("webhook.after_send",)
            return False
        finally:
            self.hints += self.pipeline.hints()
        return True

    def record(self, submission: Submission, failpoint: str | None = None) -> bool:
        body = self.pipeline.completed(submission)
        return self.step(lambda: self.pipeline.record(body), failpoint)

    def webhook(self, hint: str, failpoint: str | None = None) -> bool:
        return self.step(lambda: self.pipeline.webhook(hint), failpoint)

    def dies(self, hint: str, failpoint: str) -> bool:
        """Deliver a new hint; whether the sender died at `failpoint`, which an unguarded send may not reach."""
        is_reached = self.is_guarded or failpoint != "webhook.after_claim"
        assert self.webhook(hint, failpoint) is not is_reached
        return is_reached

    def sweep(self, failpoint: str | None = None) -> bool:
        return self.step(self.pipeline.sweep, failpoint)

    def deliver_hints(self) -> None:
        hints, self.hints = self.hints, []
        for hint in hints:
            self.webhook(hint)

    def settle(self, *submissions: Submission) -> None:
        """Let time go by, a sweep a minute and every hint delivered, until nothing is due any more."""
        for _ in range(MAX_ROUNDS):
            self.deliver_hints()
            if all(self.is_settled(submission) for submission in submissions):
                return
            self.pipeline.time.advance(self.quiet_secs(*submissions))
            self.sweep()
            self.note_stuck(*submissions)

    def quiet_secs(self, *submissions: Submission) -> float:
        """Seconds until a sweep may find something: a minute, or more where all only wait for their next attempt."""
        waits_ms = []
        for submission in submissions:
            delivery = self.pipeline.delivery(submission)
            if self.is_settled(submission):
                continue
            if delivery is None or delivery.state in {DeliveryState.PENDING, DeliveryState.SENDING}:
                return SWEEP_SECS
            if delivery.state is DeliveryState.RETRYING:
                waits_ms.append(delivery.next_at_ms - self.pipeline.time.ms)
        return max(SWEEP_SECS, min(waits_ms, default=0) / 1000)

    def is_settled(self, submission: Submission) -> bool:
        if not self.pipeline.row(submission).is_final:
            return False
        state = self.pipeline.state(submission)
        if state is None:  # deleted before anything was owed
            return self.pipeline.deliveries.get_event(submission.submission_id) is None
        return state in DONE_STATES

    def note_stuck(self, *submissions: Submission) -> None:
        """Check I4: whoever is `sending` now has a lease that ended two sweeps ago at most."""
        for submission in submissions:
            delivery = self.pipeline.delivery(submission)
            if delivery is not None and delivery.state is DeliveryState.SENDING:
                late_ms = self.pipeline.time.ms - (delivery.lease_until_ms or 0)
                assert late_ms <= 2 * SWEEP_SECS * 1000

    def check(self, *submissions: Submission, state: DeliveryState = DeliveryState.DELIVERED) -> None:
        """Check I1, I2 and I3, and that every send is an attempt but those whose record a crash prevented (I5)."""
        sends = attempts = 0
        for submission in submissions:
            assert self.is_settled(submission)
            assert self.pipeline.state(submission) is state
            requests = [
                request for request in self.pipeline.receiver.received if request.webhook_id == submission.submission_id
            ]
            assert len({request.body for request in requests}) == 1
            numbers = [row["n"] for row in self.pipeline.attempts(submission)]
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) <= self.pipeline.deliverer.schedule.max_attempts
            sends, attempts = sends + len(requests), attempts + len(numbers)
        assert sends == attempts + self.unrecorded_sends


@pytest.fixture
def world(pipeline: Pipeline, way: str) -> World:
    return World(pipeline, is_guarded=way == "guarded")


@pytest.mark.parametrize("failpoint", RECORD_POINTS)
@pytest.mark.parametrize("is_repeated", [True, False], ids=["message comes again", "message is lost"])
def test_crash_of_record_loses_nothing(failpoint: str, *, is_repeated: bool, world: World) -> None:
    submission = world.pipeline.submit()
    assert not world.record(submission, failpoint)
    if is_repeated or failpoint == "complete.before_write":  # without the write only the message knows the result
        assert world.record(submission)
    world.settle(submission)
    world.check(submission)
    assert world.pipeline.sends(submission) == 1
    assert world.pipeline.row(submission).verdict == "AC"


@pytest.mark.parametrize("failpoint", WEBHOOK_POINTS)
@pytest.mark.parametrize("is_repeated", [True, False], ids=["hint comes again", "hint is lost"])
def test_crash_of_webhook_loses_nothing(failpoint: str, *, is_repeated: bool, world: World) -> None:
    submission = world.pipeline.submit()
    world.record(submission)
    hint = world.hints.pop()
    if world.dies(hint, failpoint) and is_repeated:
        world.webhook(hint)
    world.settle(submission)
    world.check(submission)
    assert world.pipeline.sends(submission) == (2 if failpoint == "webhook.after_send" else 1)


@pytest.mark.parametrize("failpoint", WEBHOOK_POINTS)
def test_crash_between_retries_does_not_stretch_the_schedule(failpoint: str, world: World) -> None:
    submission = world.pipeline.submit()
    world.pipeline.receiver.always(500)
    world.record(submission)
    world.dies(world.hints.pop(), failpoint)
    world.settle(submission)
    world.check(submission, state=DeliveryState.EXHAUSTED)
    assert len(world.pipeline.attempts(submission)) == 4


@pytest.mark.parametrize("failpoint", SWEEP_POINTS)
def test_crash_of_sweep_loses_nothing(failpoint: str, world: World) -> None:
    submissions = [world.pipeline.submit() for _ in range(3)]
    for submission in submissions:
        assert not world.record(submission, "complete.after_write")
    world.pipeline.time.advance(HINTED_MS / 1000)
    assert not world.sweep(failpoint)
    world.settle(*submissions)
    world.check(*submissions)
    assert len(world.pipeline.receiver.received) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *itertools.product(RECORD_POINTS[1:], (*SWEEP_POINTS, *WEBHOOK_POINTS)),
        *itertools.product(WEBHOOK_POINTS, WEBHOOK_POINTS),
    ],
)
def test_pair_of_crashes_loses_nothing(first: str, second: str, world: World) -> None:
    submission = world.pipeline.submit()
    world.record(submission, first if first in RECORD_POINTS else None)
    if first in WEBHOOK_POINTS:
        world.webhook(world.hints.pop(), first)
        world.pipeline.time.advance(61)
    if second not in WEBHOOK_POINTS:
        world.sweep(second)
    else:
        world.sweep()
        for hint in world.hints[:1]:
            world.webhook(hint, second)
        world.hints.clear()
    world.settle(submission)
    world.check(submission)


def test_an_hour_of_lost_hints_delays_but_loses_nothing(world: World) -> None:
    submissions = [world.pipeline.submit() for _ in range(3)]
    for submission in submissions:
        world.record(submission)
    for _ in range(6):
        world.hints.clear()
        world.pipeline.time.advance(600)
        world.sweep()
    assert world.pipeline.receiver.received == []
    world.settle(*submissions)
    world.check(*submissions)


def test_sweeper_that_was_off_for_two_hours_catches_up(world: World) -> None:
    submissions = [world.pipeline.submit() for _ in range(3)]
    world.pipeline.receiver.always(503)
    for submission in submissions:
        world.record(submission)
    world.deliver_hints()
    world.hints.clear()
    world.pipeline.time.advance(7200)
    world.pipeline.receiver.always(200)
    world.settle(*submissions)
    world.check(*submissions)


def test_every_message_twice_changes_nothing(world: World) -> None:
    submission = world.pipeline.submit()
    world.record(submission)
    world.record(submission)
    for hint in world.hints * 2:
        world.webhook(hint)
    world.settle(submission)
    world.check(submission)
    assert world.pipeline.sends(submission) == 1


def test_deletion_while_a_worker_is_down_is_never_sent(world: World) -> None:
    submission = world.pipeline.submit()
    world.record(submission)
    world.hints.clear() if not world.is_guarded else world.dies(world.hints.pop(), "webhook.after_claim")
    world.pipeline.deliveries.cancel_event(submission.submission_id)
    for _ in range(3):
        world.pipeline.time.advance(61)
        world.sweep()
        world.deliver_hints()
    assert world.pipeline.state(submission) is DeliveryState.CANCELLED
    assert world.pipeline.receiver.received == []


STEPS = st.one_of(
    st.tuples(st.just("record"), st.integers(0, 1), st.sampled_from([None, *RECORD_POINTS])),
    st.tuples(st.just("webhook"), st.integers(0, 5), st.sampled_from([None, *WEBHOOK_POINTS])),
    st.tuples(st.just("sweep"), st.just(0), st.sampled_from([None, *SWEEP_POINTS])),
    st.tuples(st.just("repeat"), st.integers(0, 5), st.none()),
    st.tuples(st.just("drop"), st.integers(0, 5), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 61, 301, 2000]), st.none()),
    st.tuples(st.just("answer"), st.sampled_from([200, 302, 410, 429, 500]), st.none()),
    st.tuples(st.just("cancel"), st.integers(0, 1), st.none()),
)


@dataclass
class Play:
    """One sequence of steps over two submissions; `cancelled` maps an id to the sends up to its cancellation."""

    world: World
    submissions: list[Submission]
    cancelled: dict[str, int] = field(default_factory=dict)

    def record(self, number: int, failpoint: str | None) -> None:
        self.world.record(self.submissions[number], failpoint)

    def webhook(self, number: int, failpoint: str | None) -> None:
        if self.world.hints:
            self.world.webhook(self.world.hints.pop(number % len(self.world.hints)), failpoint)

    def sweep(self, _: int, failpoint: str | None) -> None:
        self.world.sweep(failpoint)

    def repeat(self, number: int, _: str | None) -> None:
        self.world.hints += self.world.hints[number : number + 1]

    def drop(self, number: int, _: str | None) -> None:
        del self.world.hints[number : number + 1]

    def wait(self, secs: int, _: str | None) -> None:
        self.world.pipeline.time.advance(secs)

    def answer(self, status: int, _: str | None) -> None:
        self.world.pipeline.receiver.always(status)

    def cancel(self, number: int, _: str | None) -> None:
        submission, pipeline = self.submissions[number], self.world.pipeline
        pipeline.deliveries.cancel_event(submission.submission_id)
        self.cancelled.setdefault(submission.submission_id, pipeline.sends(submission))

    def check(self) -> None:
        pipeline, attempts = self.world.pipeline, 0
        for submission in self.submissions:
            assert self.world.is_settled(submission)
            requests = [r for r in pipeline.receiver.received if r.webhook_id == submission.submission_id]
            assert len({request.body for request in requests}) <= 1
            assert len(pipeline.attempts(submission)) <= pipeline.deliverer.schedule.max_attempts
            assert len(requests) == self.cancelled.get(submission.submission_id, len(requests))
            attempts += len(pipeline.attempts(submission))
        assert len(pipeline.receiver.received) == attempts + self.world.unrecorded_sends


@pytest.mark.timeout(400)  # several minutes on a busy machine
@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # shrinking takes minutes here, and a sequence is short anyway
)
@given(steps=st.lists(STEPS, min_size=4, max_size=16))
def test_any_mix_of_crashes_losses_repeats_and_clock_jumps_keeps_the_invariants(
    pipeline: Pipeline, way: str, steps: list[tuple[str, int, str | None]]
) -> None:
    # One account for all examples: each has submissions of its own, and settles them before it ends.
    pipeline.receiver.received.clear()
    pipeline.receiver.always(200)
    play = Play(World(pipeline, way == "guarded"), [pipeline.submit(due_at_ms=None) for _ in range(2)])
    for action, number, failpoint in steps:
        getattr(play, action)(number, failpoint)
    for submission in play.submissions:
        play.world.record(submission)
    play.world.settle(*play.submissions)
    play.check()
