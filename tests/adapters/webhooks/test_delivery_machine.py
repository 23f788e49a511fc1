"""A state machine over the whole pipeline: any order of crashes, losses, repeats, clock jumps and changes of endpoints.

Each sequence ends with all well again, and then I1 to I6 hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.adapters.delivery_world import TIMEOUT, DeliveryWorld
from tests.adapters.pipeline import RECORD_POINTS, Pipeline
from tests.adapters.webhooks.crash_points import WEBHOOK_POINTS
from tests.choice import examples

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint

DISABLED_EVENT_POINTS = (
    "webhook.after_record",
    "publish.after_rows",
    "publish.after_bus",
    "disabled_event.before_done",
)
outcomes = st.sampled_from(["body", "body", "body", "failure", "nothing", "skip"])
SWEEP_POINTS = ("sweep.after_take", "sweep.mid_page", "waking.after_take_out", *RECORD_POINTS[2:])

runs, places, endpoints = st.integers(0, 2), st.integers(0, 9), st.integers(0, 1)
statuses = st.sampled_from([200, 302, 410, 429, 500, 500, TIMEOUT])
jumps_secs = st.sampled_from([1, 6, 59, 61, 301, 2_000, 43_200, 432_000])


def or_none(points: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(points))


class Deliveries(RuleBasedStateMachine):
    """One account for all sequences; each has a project of its own and leaves nothing behind."""

    pipeline: ClassVar[Pipeline]
    ordered: ClassVar[bool]
    transforms: ClassVar[bool]
    late: ClassVar[bool]
    """Whether endpoints get their transforms after the events are written."""

    def __init__(self) -> None:
        super().__init__()
        self.world = DeliveryWorld(self.pipeline, transforms=self.transforms, late=self.late)
        self.world.add_endpoint(ordered=self.ordered)
        # One send at a time, and a sender that died holds its slot for the first minute.
        busy = self.world.add_endpoint(max_concurrency=1, ordered=self.ordered)
        self.world.hold(busy)
        for own_url in (True, True, False):
            self.world.add_run(own_url=own_url)

    def endpoint(self, place: int) -> Endpoint:
        return self.world.endpoints[place]

    def has_hints(self) -> bool:
        """Whether there is a message, after a sweep if there was none."""
        if not self.world.hints:
            self.world.sweep()
        return bool(self.world.hints)

    @initialize(points=st.tuples(*[or_none(RECORD_POINTS)] * 3), status=statuses)
    def runs_end(self, points: tuple[str | None, ...], status: int) -> None:
        for run, point in zip(self.world.runs, points, strict=True):
            self.world.record(run, point)
        self.world.set_transforms()
        self.world.answers[self.endpoint(0).endpoint_id] = status

    @rule(run=runs, point=or_none(RECORD_POINTS))
    def record(self, run: int, point: str | None) -> None:
        self.world.record(self.world.runs[run], point)

    @rule(secs=jumps_secs)
    def all_hints_arrive(self, secs: int) -> None:
        """The usual thing."""
        for _ in range(len(self.world.hints)):
            self.world.webhook(0)
        self.world.wait(secs)

    @rule(secs=jumps_secs)
    def a_sweep_finds_what_is_due(self, secs: int) -> None:
        """The usual thing when hints are late or lost."""
        self.world.wait(secs)
        self.world.sweep()
        for _ in range(len(self.world.hints)):
            self.world.webhook(0)

    @rule(place=places, point=or_none(WEBHOOK_POINTS))
    def webhook(self, place: int, point: str | None) -> None:
        self.world.webhook(place, point)

    @rule(place=places, point=or_none(WEBHOOK_POINTS))
    def two_webhooks_at_once(self, place: int, point: str | None) -> None:
        """A worker takes the same or another message while the first one is sending."""
        if self.has_hints():
            place %= len(self.world.hints)
            self.world.hints.append(self.world.hints[place])
            self.world.meanwhile = lambda: self.world.webhook(-1)
            self.world.webhook(place, point)

    @rule(place=places, secs=jumps_secs)
    def slow_webhook(self, place: int, secs: int) -> None:
        """Time goes on while a worker is sending, and others act."""

        def meanwhile() -> None:
            self.world.wait(secs)
            self.world.sweep()
            for _ in range(len(self.world.hints)):
                self.world.webhook(0)

        if self.has_hints():
            self.world.meanwhile = meanwhile
            self.world.webhook(place)

    @rule(place=places, endpoint=endpoints, chance=st.integers(0, 5))
    def endpoint_changes_during_a_send(self, place: int, endpoint: int, chance: int) -> None:
        def meanwhile() -> None:
            if chance == 5:
                self.world.delete_endpoint(self.endpoint(endpoint))
            else:
                self.world.switch(self.endpoint(endpoint), on=False)

        self.world.meanwhile = meanwhile
        self.world.webhook(place)
        self.world.meanwhile = None

    @rule(place=places, outcome=outcomes, point=or_none(RECORD_POINTS))
    def transform(self, place: int, outcome: str, point: str | None) -> None:
        self.world.transform(place, outcome, point)

    @rule(place=places, chance=st.integers(0, 3))
    def a_run_comes_twice_or_is_lost(self, place: int, chance: int) -> None:
        if chance == 3:
            del self.world.transforming[place : place + 1]
        else:
            self.world.transforming += self.world.transforming[place : place + 1]

    @rule(place=places)
    def duplicate(self, place: int) -> None:
        self.world.hints += self.world.hints[place : place + 1]

    @rule(place=places)
    def drop(self, place: int) -> None:
        del self.world.hints[place : place + 1]

    @rule(chance=st.integers(0, 3))
    def drop_all(self, chance: int) -> None:
        if chance == 3:
            self.world.hints.clear()

    @rule(point=or_none(SWEEP_POINTS))
    def sweep(self, point: str | None) -> None:
        self.world.sweep(point)

    @rule(secs=jumps_secs)
    def wait(self, secs: int) -> None:
        self.world.wait(secs)

    @rule(endpoint=endpoints, status=statuses)
    def answer(self, endpoint: int, status: int) -> None:
        self.world.answers[self.endpoint(endpoint).endpoint_id] = status

    @rule(status=statuses)
    def answer_of_runs(self, status: int) -> None:
        self.world.answers["run"] = status

    @rule(endpoint=endpoints, run=runs, point=st.sampled_from(DISABLED_EVENT_POINTS))
    def a_receiver_is_gone(self, endpoint: int, run: int, point: str) -> None:
        """It answers 410, and the worker dies before or while it tells the owner."""
        self.world.answers[self.endpoint(endpoint).endpoint_id] = 410
        self.world.record(self.world.runs[run])
        for _ in range(len(self.world.hints)):
            self.world.webhook(0, point)

    @rule(endpoint=endpoints, on=st.sampled_from([True, True, False]))
    def switch(self, endpoint: int, *, on: bool) -> None:
        self.world.switch(self.endpoint(endpoint), on=on)

    @rule(endpoint=endpoints, overlap_secs=st.sampled_from([0, 3600]))
    def rotate(self, endpoint: int, overlap_secs: int) -> None:
        self.world.rotate(self.endpoint(endpoint), overlap_secs)

    @rule(endpoint=endpoints)
    def recover(self, endpoint: int) -> None:
        self.world.switch(self.endpoint(endpoint), on=True)
        self.world.recover(self.endpoint(endpoint))

    @rule(endpoint=endpoints, chance=st.integers(0, 5))
    def delete_endpoint(self, endpoint: int, chance: int) -> None:
        if chance == 5:
            self.world.delete_endpoint(self.endpoint(endpoint))

    @rule(run=runs, chance=st.integers(0, 5))
    def delete_run(self, run: int, chance: int) -> None:
        if chance == 5:
            self.world.cancel(self.world.runs[run])

    @rule()
    def receivers_stay_ill(self) -> None:
        self.world.stays_ill = True

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.world.check()
        finally:
            self.world.close()


@pytest.mark.timeout(400)  # several minutes on a busy machine
@pytest.mark.parametrize(
    "way", ["unguarded", "guarded", "ordered", "transformed", "transformed and ordered", "transformed late"]
)
def test_any_order_of_mishaps_keeps_the_invariants(pipeline: Pipeline, way: str) -> None:
    choices = {"ordered": "ordered" in way, "transforms": "transformed" in way, "late": "late" in way}
    if way == "guarded":
        pipeline.guard_all()
    run_state_machine_as_test(
        type("DeliveriesOfThisTest", (Deliveries,), {"pipeline": pipeline, **choices}),
        settings=settings(
            max_examples=examples(15),
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # shrinking takes minutes here
        ),
    )
