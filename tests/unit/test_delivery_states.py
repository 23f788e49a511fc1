import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhooks.deliveries.model import (
    UNSENDABLE_CODES,
    Delivery,
    DeliveryState,
    Schedule,
    Transition,
    after_reply,
)
from functions.webhooks.vocabulary import Reply

NOW_MS = 1_445_412_480_000  # Wed, 21 Oct 2015 07:28:00 GMT
SCHEDULE = Schedule((0, 5, 300))
DELIVERY = Delivery(
    event_id="7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11",
    endpoint_id="run",
    project_id="dev",
    submission_id="7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11",
    url="https://hooks.example.com/?token=hidden",
    secret_box=b"hidden",
    state=DeliveryState.SENDING,
    attempt=0,
    next_at_ms=NOW_MS - 9000,
    created_at="2015-10-21T07:27:00.000Z",
    lease_until_ms=NOW_MS + 60_000,
    lease_owner="me",
)


def after(reply: Reply, attempts_made: int = 0) -> Transition:
    delivery = dataclasses.replace(DELIVERY, attempt=attempts_made)
    return after_reply(delivery, reply, SCHEDULE, NOW_MS, 0.5)


@pytest.mark.parametrize("code", sorted(UNSENDABLE_CODES))
def test_refused_address_is_blocked_at_any_attempt(code: str) -> None:
    for attempts_made in (0, 2):
        assert after(Reply(1, error_code=code), attempts_made) == Transition(DeliveryState.BLOCKED)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert after(Reply(1, status), 2) == Transition(DeliveryState.DELIVERED)


def test_410_is_exhausted_at_once() -> None:
    assert after(Reply(1, 410)) == Transition(DeliveryState.EXHAUSTED)


@pytest.mark.parametrize("status", [100, 101, 103, 199, 300, 301, 302, 307, 400, 401, 404, 408, 425, 429, 500, 503])
def test_every_other_status_is_retried_until_the_schedule_ends(status: int) -> None:
    reply = Reply(1, status)
    assert after(reply, 0) == Transition(DeliveryState.RETRYING, NOW_MS + 5_000)
    assert after(reply, 1) == Transition(DeliveryState.RETRYING, NOW_MS + 300_000)
    assert after(reply, 2) == Transition(DeliveryState.EXHAUSTED)


@pytest.mark.parametrize(
    "code", ["timeout", "connect_refused", "connection_reset", "tls_error", "dns_error", "response_invalid"]
)
def test_send_without_an_answer_is_retried(code: str) -> None:
    assert after(Reply(1, error_code=code)) == Transition(DeliveryState.RETRYING, NOW_MS + 5_000)
    assert after(Reply(1, error_code=code), 2) == Transition(DeliveryState.EXHAUSTED)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_receiver_may_ask_for_time(status: int) -> None:
    for header in ("60", "Wed, 21 Oct 2015 07:29:00 GMT"):
        reply = Reply(1, status, retry_after=header)
        assert after(reply) == Transition(DeliveryState.RETRYING, NOW_MS + 60_000)
    assert after(Reply(1, status, retry_after="1")) == Transition(DeliveryState.RETRYING, NOW_MS + 5_000)
    assert after(Reply(1, status, retry_after="9999999")) == Transition(DeliveryState.RETRYING, NOW_MS + 86_400_000)


@pytest.mark.parametrize("status", [301, 400, 404])
def test_retry_after_of_another_status_is_ignored(status: int) -> None:
    assert after(Reply(1, status, retry_after="60")) == Transition(DeliveryState.RETRYING, NOW_MS + 5_000)


@given(
    st.one_of(st.integers(100, 999).map(lambda status: Reply(1, status)), st.just(Reply(1, error_code="timeout"))),
    st.floats(0, 1, exclude_max=True),
)
def test_attempts_never_exceed_the_schedule(reply: Reply, random: float) -> None:
    attempts = 0
    delivery = DELIVERY
    while after_reply(delivery, reply, SCHEDULE, NOW_MS, random).state is DeliveryState.RETRYING:
        attempts += 1
        delivery = dataclasses.replace(delivery, attempt=attempts)
    assert attempts + 1 <= SCHEDULE.max_attempts


def test_row_is_late_since_its_lease_ended_or_its_next_attempt_was_due() -> None:
    assert DELIVERY.due_since_ms == NOW_MS + 60_000
    retrying = dataclasses.replace(DELIVERY, state=DeliveryState.RETRYING, lease_until_ms=None)
    assert retrying.due_since_ms == NOW_MS - 9000


def test_repr_shows_neither_url_nor_secret_nor_answer() -> None:
    assert "hidden" not in repr(DELIVERY)
    assert "hidden" not in repr(Reply(1, 200, head=b"hidden"))


def test_a_replay_begins_the_schedule_anew_and_counts_on() -> None:
    again = dataclasses.replace(DELIVERY, attempt=5, attempts_before=5)
    assert after_reply(again, Reply(1, 500), SCHEDULE, NOW_MS, 0.5).next_at_ms == NOW_MS + 5_000
    last = dataclasses.replace(DELIVERY, attempt=7, attempts_before=5)
    assert after_reply(last, Reply(1, 500), SCHEDULE, NOW_MS, 0.5) == Transition(DeliveryState.EXHAUSTED)
