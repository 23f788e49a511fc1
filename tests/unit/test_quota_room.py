"""Runs that begin before they are counted: only where little is used, and not many of them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.api.room import FRESH_MS, Room
from functions.core.quota import DAY_MS, MINUTE_MS, Quota, Usage, Window
from tests.submission_factory import START_MS, FakeTime, new_submission

QUOTA = Quota(60, 1_000, 10)
ROW = new_submission()


def usage(minute: int = 1, day: int = 1, in_flight: int = 1) -> Usage:
    return Usage(Window(MINUTE_MS, START_MS // MINUTE_MS, minute), Window(DAY_MS, START_MS // DAY_MS, day), in_flight)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(START_MS)


@pytest.fixture
def room(time: FakeTime) -> Room:
    return Room(time)


def test_nothing_is_known_before_something_was_counted(room: Room) -> None:
    assert not room.enter(ROW, QUOTA)


@pytest.mark.parametrize(
    ("used", "is_ample"),
    [
        (usage(), True),
        (usage(29, 499, 4), True),
        (usage(minute=30), False),
        (usage(day=500), False),
        (usage(in_flight=5), False),
    ],
)
def test_with_it_no_limit_may_be_more_than_half_used(room: Room, used: Usage, *, is_ample: bool) -> None:
    room.note(ROW, used)
    assert room.enter(ROW, QUOTA) is is_ample


def test_a_quota_of_one_leaves_no_room(room: Room) -> None:
    room.note(ROW, usage(0, 0, 0))
    assert not room.enter(ROW, Quota(1, 20, 10))


def test_what_is_known_is_good_for_a_second_and_not_for_a_clock_that_goes_back(room: Room, time: FakeTime) -> None:
    room.note(ROW, usage())
    time.ms += FRESH_MS - 1
    assert room.enter(ROW, QUOTA)
    time.ms += 1
    assert not room.enter(ROW, QUOTA)
    time.ms -= 2 * FRESH_MS
    assert not room.enter(ROW, QUOTA)


def test_a_refusal_ends_it(room: Room) -> None:
    room.note(ROW, usage())
    room.forget(ROW)
    room.forget(ROW)
    assert not room.enter(ROW, QUOTA)


def test_projects_and_profiles_are_apart(room: Room) -> None:
    room.note(ROW, usage())
    assert not room.enter(new_submission(project_id="another"), QUOTA)
    assert not room.enter(new_submission(profile="agent"), QUOTA)


def test_those_not_counted_yet_are_never_more_than_the_half_that_is_free(room: Room) -> None:
    room.note(ROW, usage(in_flight=1))
    with ThreadPoolExecutor(16) as threads:
        entered = list(threads.map(lambda _: room.enter(ROW, QUOTA), range(200)))
    assert sum(entered) == 4
    room.leave(ROW)
    assert [room.enter(ROW, QUOTA) for _ in range(2)] == [True, False]
