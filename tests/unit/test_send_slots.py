"""Slots, lanes and the order of a sweep: pure rules."""

from dataclasses import replace

import pytest

from functions.submissions.sweeper import DueSubmission, Entry, round_robin
from functions.webhooks.deliveries.model import NOT_SENT
from functions.webhooks.deliveries.store import DueDelivery, DueLane
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.sending.lanes import FAILURES_TO_OPEN, Lane, is_unanswered, max_concurrent_sends
from functions.webhooks.sending.slots import (
    HOST_SLOTS,
    SLOT_BYTES_PER_SEC,
    Slot,
    Slots,
    project_slots,
    shared_slots,
    spacing_ms,
)
from functions.webhooks.vocabulary import Reply
from functions.webhooks.webhook_url import host_of

NOW = 1_000_000
LANE = Lane("p", "e", "example.com", most=3)
ENDPOINT = Endpoint(endpoint_id="e", project_id="p", url="", secret_box=b"", created_at="", updated_at="")


def taken(count: int, *, lane: str = "e", host: str = "example.com", until_ms: int = NOW + 1) -> Slots:
    return Slots("p", taken={str(number): Slot(until_ms, lane, host) for number in range(count)})


@pytest.mark.parametrize(
    ("slots", "free"),
    [
        (taken(0), 3),
        (taken(1), 2),
        (taken(3), 0),
        (taken(3, until_ms=NOW), 3),
        (taken(19, lane="other"), 1),
        (taken(HOST_SLOTS, lane="other"), 0),
        (taken(24, lane="other", host="other.example.com"), 1),
        (taken(25, lane="other", host="other.example.com"), 0),
    ],
    ids=["none", "one", "lane full", "expired", "host nearly full", "host full", "project nearly full", "project full"],
)
def test_a_slot_is_free_within_the_caps_of_lane_host_and_project(slots: Slots, free: int) -> None:
    assert slots.count_free(LANE, 25, NOW) == free


def test_the_last_quarter_of_a_project_is_for_lanes_without_a_slot() -> None:
    busy = taken(18, lane="other", host="other.example.com").taken
    ours = {"ours": Slot(NOW + 1, "e", "example.com")}
    assert Slots("p", taken={**busy, **ours}).count_free(LANE, 25, NOW) == 0
    assert Slots("p", taken={**busy, **ours}).count_free(replace(LANE, name="third"), 25, NOW) == 1
    assert Slots("p", taken={**dict(list(busy.items())[:-1]), **ours}).count_free(LANE, 25, NOW) == 1


def test_a_project_with_few_slots_shares_all() -> None:
    assert [shared_slots(limit) for limit in (1, 10, 13, 16, 25)] == [1, 10, 10, 12, 19]


def test_an_open_circuit_breaker_lets_one_probe_through_when_it_is_due() -> None:
    ill = replace(LANE, failures=FAILURES_TO_OPEN, failing_since_ms=NOW - 15_000, probe_at_ms=NOW)
    assert taken(0).count_free(ill, 25, NOW - 1) == 0
    assert taken(0).count_free(ill, 25, NOW) == 1
    assert taken(1).count_free(ill, 25, NOW) == 0
    assert taken(0).count_free(replace(ill, failures=FAILURES_TO_OPEN - 1), 25, NOW - 1) == 3


def test_probes_become_rarer_up_to_five_minutes() -> None:
    pauses = [
        replace(LANE, failures=5, failing_since_ms=NOW - secs * 1000).next_probe_ms(NOW) - NOW
        for secs in (0, 15, 60, 600, 86_400)
    ]
    assert pauses == [15_000, 15_000, 30_000, 300_000, 300_000]


def test_resting_slots_and_probes_set_the_next_free_time() -> None:
    assert taken(3).next_free_ms(LANE, NOW) is None
    resting = Slots("p", taken={"0": Slot(NOW + 500, "e", "example.com", is_resting=True)})
    assert resting.next_free_ms(LANE, NOW) == NOW + 500
    ill = replace(LANE, failures=FAILURES_TO_OPEN, probe_at_ms=NOW + 9_000)
    assert taken(0).next_free_ms(ill, NOW) == NOW + 9_000


@pytest.mark.parametrize(
    ("reply", "counts"),
    [
        (Reply(1, 200), False),
        (Reply(1, 503), False),
        (Reply(15_000, error_code="timeout"), True),
        (Reply(1, error_code="connection_refused"), True),
        (Reply(1, error_code="blocked_address"), False),
        (Reply(0, error_code=NOT_SENT), False),
    ],
)
def test_only_sends_without_an_answer_count_for_the_breaker(reply: Reply, counts: bool) -> None:  # noqa: FBT001
    assert is_unanswered(reply) is counts


@pytest.mark.parametrize(
    ("concurrency", "rate", "sends", "spacing"), [(10, 0, 10, 0), (10, 1, 1, 1000), (10, 5, 5, 1000), (10, 25, 10, 500)]
)
def test_a_rate_is_kept_by_fewer_slots_that_rest(concurrency: int, rate: int, sends: int, spacing: int) -> None:
    endpoint = replace(ENDPOINT, max_concurrency=concurrency, max_per_second=rate)
    assert (max_concurrent_sends(endpoint), spacing_ms(endpoint, 0)) == (sends, spacing)
    if rate:
        assert sends * (1000 // spacing) <= rate


def test_a_slot_rests_for_the_bytes_that_it_sent() -> None:
    assert spacing_ms(None, SLOT_BYTES_PER_SEC) == 1000
    assert spacing_ms(ENDPOINT, 2048) == 7


def test_a_project_gets_a_quarter_of_the_senders() -> None:
    assert [project_slots(senders) for senders in (1, 4, 64, 100)] == [1, 1, 16, 25]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Hooks.Example.com:8443/x?y", "hooks.example.com"),
        ("https://hooks.example.com./x", "hooks.example.com"),
        ("https://[::1", ""),
        ("nonsense", ""),
    ],
)
def test_a_host_has_neither_port_nor_trailing_dot(url: str, host: str) -> None:
    assert host_of(url) == host


def test_projects_take_turns_in_a_large_backlog() -> None:
    """50,000 rows of one project are due before one row of another: it is the second to be handled."""
    flood = [DueDelivery(f"event-{number}", "run", number) for number in range(50_000)]
    victim, lane = DueSubmission("victim", 60_000), DueLane("third", "e", 70_000)
    projects: dict[Entry, str] = dict.fromkeys(flood, "flood")
    projects |= {victim: "victim", lane: "third"}
    rows: list[Entry] = [*flood, victim, lane]
    order = round_robin(rows, projects)
    assert order[:4] == [flood[0], victim, lane, flood[1]]
    assert len(order) == 50_002
