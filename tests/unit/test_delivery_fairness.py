"""A model of the deliveries queue: 10,000 deliveries to an endpoint that hangs, and other projects' beside them.

The queue is the worst kind, first in first out; workers, leases and deferrals are those of the service. What a worker
does besides the send takes WORK_MS. Time is the model's.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from functions.core.delivery import LEASE_MS, MAX_HINT_DELAY_MS, deferral_ms
from functions.core.endpoint import MAX_LEASES, Endpoint

WORKERS = 50  # MaximumConcurrency of the template
WORK_MS = 20
HANG_MS = 15_000
OWED = 10_000
END_MS = 3_600_000


@dataclass
class Model:
    """Each hint is (sent at, is it of the hanging endpoint, deferrals so far)."""

    has_cap: bool = True
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - repeatable, no secret
    now_ms: int = 0
    idle: int = WORKERS
    endpoint: Endpoint = field(
        default_factory=lambda: Endpoint(
            endpoint_id="x", project_id="a", url="", secret_box=b"", created_at="", updated_at=""
        )
    )
    visible: deque[tuple[int, bool, int]] = field(default_factory=deque)
    later: list[tuple[int, int, str, tuple[int, bool, int] | int]] = field(default_factory=list)
    order: itertools.count[int] = field(default_factory=itertools.count)
    waits_ms: list[int] = field(default_factory=list)
    sent: int = 0
    deferred: int = 0
    most_at_once: int = 0

    def at(self, ms: int, kind: str, what: tuple[int, bool, int] | int) -> None:
        heapq.heappush(self.later, (ms, next(self.order), kind, what))

    def run(self) -> None:
        self.visible.extend((0, True, 0) for _ in range(OWED))
        for second in range(1, END_MS // 1000):
            self.at(second * 1000, "hint", (second * 1000, False, 0))
        while self.later and self.now_ms < END_MS:
            while self.visible and self.idle:
                self.idle -= 1
                self.work(*self.visible.popleft())
            self.now_ms, _, kind, what = heapq.heappop(self.later)
            if kind == "hint":
                assert isinstance(what, tuple)
                self.visible.append((self.now_ms, *what[1:]))
            else:
                assert isinstance(what, int)
                self.idle += 1
                if what >= 0:
                    self.endpoint = self.with_lease(what, 0)

    def work(self, since_ms: int, is_hanging: bool, deferrals: int) -> None:  # noqa: FBT001 - the fields of a hint
        if not is_hanging:
            self.waits_ms.append(self.now_ms - since_ms)
            self.at(self.now_ms + WORK_MS + 100, "end", -1)
            return
        free = self.endpoint.free_leases(self.now_ms)
        if not self.has_cap:
            self.sent += 1
            self.at(self.now_ms + HANG_MS, "end", -1)
        elif free:
            self.sent += 1
            self.endpoint = self.with_lease(free[0], self.now_ms + LEASE_MS)
            self.most_at_once = max(self.most_at_once, MAX_LEASES - len(free) + 1)
            self.at(self.now_ms + WORK_MS + HANG_MS, "end", free[0])
        else:
            self.deferred += 1
            delay_ms = deferral_ms(deferrals, self.random.random())
            assert delay_ms <= MAX_HINT_DELAY_MS
            self.at(self.now_ms + WORK_MS + math.ceil(delay_ms / 1000) * 1000, "hint", (0, True, deferrals + 1))
            self.at(self.now_ms + WORK_MS, "end", -1)

    def with_lease(self, number: int, until_ms: int) -> Endpoint:
        leases = (*self.endpoint.leases[:number], until_ms, *self.endpoint.leases[number + 1 :])
        return replace(self.endpoint, leases=leases)


@pytest.fixture(scope="module")
def capped() -> Model:
    model = Model()
    model.run()
    return model


def test_others_wait_for_seconds_at_most_and_mostly_not_at_all(capped: Model) -> None:
    waits_ms = sorted(capped.waits_ms)
    assert len(waits_ms) == END_MS // 1000 - 1
    assert waits_ms[-1] <= 5_000  # the first wave: each of the 10,000 is looked at once
    assert waits_ms[len(waits_ms) * 99 // 100] <= 200


def test_the_hanging_endpoint_is_sent_to_by_five_at_a_time_and_never_idle_for_long(capped: Model) -> None:
    assert capped.most_at_once == MAX_LEASES
    possible = MAX_LEASES * END_MS // (HANG_MS + WORK_MS)
    assert possible * 0.9 <= capped.sent <= possible + MAX_LEASES


def test_waiting_costs_little_work(capped: Model) -> None:
    assert capped.deferred * WORK_MS <= WORKERS * END_MS * 0.05


def test_without_the_cap_others_would_wait_for_most_of_an_hour() -> None:
    model = Model(has_cap=False)
    model.run()
    assert max(model.waits_ms) > 2_500_000
