"""Bars of fair and work-conserving sending, in virtual time: exact, whatever the machine does."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from functions.webhooks.sending import lanes
from functions.webhooks.sending.lanes import FAILURES_TO_OPEN
from functions.webhooks.sending.slots import HOST_SLOTS, SLOT_BYTES_PER_SEC, project_slots
from tests.adapters.virtual_senders import OVERHEAD_MS, VirtualSenders, percentile, quiet

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint
    from tests.adapters.pipeline import Pipeline

SENDERS = 40
HOSTILE, VICTIM = "hostile", "victim"


def endpoints(pipeline: Pipeline, project_id: str, count: int, **changes: int) -> list[Endpoint]:
    return [
        pipeline.endpoint(project_id=project_id, url=f"https://{project_id}-{number}.example.com/hook", **changes)
        for number in range(count)
    ]


def p95_of_victim(pipeline: Pipeline, *, attackers: int, slots: int) -> int:
    """p95 of a victim's delivery time in ms; hostile projects have 50 targets each that hang."""

    def answer(url: str) -> tuple[int, int] | None:
        return None if HOSTILE in url else (100, 200)

    senders = VirtualSenders(pipeline, SENDERS, slots, answer)
    for attacker in range(attackers):
        for target in endpoints(pipeline, f"{HOSTILE}{attacker}", 50):
            senders.owe(target)
    (victim,) = endpoints(pipeline, VICTIM, 1)
    owed: dict[str, int] = {}
    for second in range(1, 21):

        def owe() -> None:
            owed[senders.owe(victim)] = pipeline.time()

        senders.after(second * 1000, owe)
    senders.run(pipeline.time() + 40_000)
    missing_ms = 60_000  # it has not come yet
    return percentile([senders.answered_ms.get(event, at + missing_ms) - at for event, at in owed.items()], 0.95)


@pytest.mark.usefixtures("way")
def test_50_hanging_targets_of_a_project_do_not_delay_another(pipeline: Pipeline) -> None:
    alone_ms = OVERHEAD_MS + 100
    assert p95_of_victim(pipeline, attackers=0, slots=project_slots(SENDERS)) == alone_ms
    assert p95_of_victim(pipeline, attackers=1, slots=project_slots(SENDERS)) <= 2 * alone_ms


@pytest.mark.usefixtures("guarded")
def test_hanging_targets_of_three_projects_do_not_delay_a_fourth(pipeline: Pipeline) -> None:
    assert p95_of_victim(pipeline, attackers=3, slots=project_slots(SENDERS)) <= 2 * (OVERHEAD_MS + 100)


def test_ten_targets_that_begin_to_hang_do_not_delay_another_project(pipeline: Pipeline) -> None:
    """All senders are of one process; the guard of the lanes comes after a second, from one send of each."""
    began_ms = pipeline.time()

    def answer(url: str) -> tuple[int, int] | None:
        return None if HOSTILE in url and pipeline.time() - began_ms >= 5_000 else (100, 200)

    senders = VirtualSenders(pipeline, SENDERS, project_slots(SENDERS), answer)
    (victim,) = endpoints(pipeline, VICTIM, 1)
    hostile = endpoints(pipeline, HOSTILE, 10)
    owed: dict[str, int] = {}

    def owe() -> None:
        owed[senders.owe(victim)] = pipeline.time()
        for target in hostile:
            senders.owe(target)

    for number in range(1, 51):
        senders.after(number * 400, owe)
    senders.run(began_ms + 60_000)
    waits = [senders.answered_ms[event] - at for event, at in owed.items()]
    assert percentile(waits, 0.95) <= 1.2 * (OVERHEAD_MS + 100)


@pytest.mark.usefixtures("guarded")
def test_a_project_is_delayed_if_another_may_use_all_senders(pipeline: Pipeline) -> None:
    assert p95_of_victim(pipeline, attackers=1, slots=SENDERS) > 5_000


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("concurrency", [10, 3])
def test_a_slow_endpoint_is_never_idle_and_keeps_its_order(concurrency: int, pipeline: Pipeline) -> None:
    """600 deliveries of 1 s within 1.15 times the ideal time; order off by no more than the concurrency."""
    senders = VirtualSenders(pipeline, SENDERS, project_slots(SENDERS), lambda _: (1_000, 200))
    (target,) = endpoints(pipeline, "slow", 1, max_concurrency=concurrency)
    began_ms, count = pipeline.time(), 100 if concurrency == 10 else 30
    owed = []
    for _ in range(count):
        owed.append(senders.owe(target))
        pipeline.time.ms += 1
    senders.run(began_ms + 600_000)
    assert sorted(senders.order) == sorted(owed)
    assert max(senders.answered_ms.values()) - began_ms <= 1.15 * count * 1_000 / concurrency
    assert senders.most_at_once["slow-0.example.com"] == concurrency
    place = {event_id: number for number, event_id in enumerate(owed)}
    assert max(abs(place[event_id] - number) for number, event_id in enumerate(senders.order)) <= concurrency
    assert max(senders.queue.sent.values()) <= 2  # its own, and one when a sender handed its slot on


@pytest.mark.usefixtures("guarded")
def test_fifty_endpoints_on_one_host_get_a_bounded_number_of_sends(pipeline: Pipeline) -> None:
    senders = VirtualSenders(pipeline, 200, 100, lambda _: (1_000, 200))
    for number in range(50):
        senders.owe(pipeline.endpoint(project_id="one", url=f"https://one.example.com/{number}"))
    senders.run(pipeline.time() + 60_000)
    assert (len(senders.answered_ms), senders.most_at_once["one.example.com"]) == (50, HOST_SLOTS)


@pytest.mark.usefixtures("guarded")
def test_a_host_gets_a_bounded_number_of_bytes(pipeline: Pipeline) -> None:
    senders = VirtualSenders(pipeline, 200, 100, lambda _: (1, 200))
    body = b"x" * (SLOT_BYTES_PER_SEC // 2)
    targets = [pipeline.endpoint(project_id="one", url=f"https://one.example.com/{number}") for number in range(5)]
    for target in targets:
        for _ in range(30):
            senders.owe(target, body)
    senders.run(pipeline.time() + 60_000)
    assert len(senders.answered_ms) == 150
    starts = [at_ms for at_ms, _ in senders.starts]
    most = max(sum(at <= other < at + 1_000 for other in starts) for at in starts)
    assert most * len(body) <= HOST_SLOTS * SLOT_BYTES_PER_SEC


@pytest.mark.parametrize("rate", [1, 5, 25])
def test_an_endpoint_gets_no_more_requests_a_second_than_it_set(rate: int, pipeline: Pipeline) -> None:
    senders = VirtualSenders(pipeline, SENDERS, 25, quiet)
    (target,) = endpoints(pipeline, "calm", 1, max_per_second=rate)
    began_ms, count = pipeline.time(), rate * 8
    for _ in range(count):
        senders.owe(target)
    senders.sweep_every_minute()
    senders.run(began_ms + 120_000)
    starts = [at_ms for at_ms, _ in senders.starts]
    assert len(starts) == count
    assert max(sum(at <= other < at + 1_000 for other in starts) for at in starts) <= rate
    assert max(starts) - began_ms <= 2 * 8_000 + 2_000


@pytest.mark.usefixtures("guarded")
def test_a_target_that_hangs_gets_one_probe_at_a_time_until_it_answers(pipeline: Pipeline) -> None:
    begun_ms, well_after_ms = pipeline.time(), 200_000
    senders = VirtualSenders(
        pipeline, SENDERS, 25, lambda _: (100, 200) if pipeline.time() - begun_ms > well_after_ms else None
    )
    (target,) = endpoints(pipeline, "ill", 1)
    owed = [senders.owe(target) for _ in range(100)]
    senders.sweep_every_minute()
    senders.run(begun_ms + 195_000)
    first_round = sum(at_ms - begun_ms < 15_000 for at_ms, _ in senders.starts)
    probes = sorted(at_ms for at_ms, _ in senders.starts)[first_round:]
    assert first_round == target.max_concurrency
    assert 2 <= len(probes) <= 8
    assert all(later - earlier >= 15_000 for earlier, later in itertools.pairwise(probes))
    senders.run(begun_ms + 900_000)
    assert set(senders.answered_ms) == set(owed)
    assert senders.lane_waker.slots.read("ill").live(pipeline.time()) == {}


@pytest.mark.usefixtures("guarded")
def test_a_target_that_hangs_gets_ten_requests_at_a_time_without_a_circuit_breaker(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FAILURES_TO_OPEN == 3
    monkeypatch.setattr(lanes, "FAILURES_TO_OPEN", 10**9)
    senders = VirtualSenders(pipeline, SENDERS, 25, lambda _: None)
    (target,) = endpoints(pipeline, "ill", 1)
    for _ in range(100):
        senders.owe(target)
    senders.sweep_every_minute()
    senders.run(pipeline.time() + 150_000)
    assert len(senders.starts) > 60
