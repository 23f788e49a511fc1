"""Projects share threads, connections and bytes fairly."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.local.http.request_threads import FairShares, FairThreadPool, NoShareError


def _fill(shares: FairShares, owners: list[str]) -> list[int]:
    """Let the owners take one after the other until none gets more; return how much each has."""
    held, is_full = dict.fromkeys(owners, 0), False
    while not is_full:
        is_full = True
        for owner in owners:
            if shares.take(owner):
                held[owner] += 1
                is_full = False
    return [*held.values()]


@pytest.mark.parametrize(("owners", "each"), [(1, 60), (2, 40), (3, 30), (10, 11)])
def test_owners_have_equal_shares_and_leave_one_for_another(owners: int, each: int) -> None:
    shares = FairShares(120)
    held = _fill(shares, [str(number) for number in range(owners)])
    assert set(held) <= {each - 1, each, each + 1}
    assert shares.take("another")


def test_owner_that_takes_all_at_once_leaves_half() -> None:
    shares = FairShares(100)
    assert not shares.take("greedy", 101)
    assert [shares.take("greedy", 40), shares.take("greedy", 40), shares.take("other", 40)] == [True, False, True]


def test_request_gives_back_its_share_however_it_ends() -> None:
    shares = FairShares(10)
    with shares.holding("a") as held:
        held.take(4)
        with pytest.raises(NoShareError) as caught:
            held.take(3)
    assert caught.value.is_own_fault
    assert _fill(shares, ["b"]) == [5]
    with shares.holding("c") as held, pytest.raises(NoShareError) as caught:
        held.take(6)
    assert not caught.value.is_own_fault


def test_request_that_needs_nothing_is_never_refused_and_holds_nothing() -> None:
    shares = FairShares(10)
    assert [shares.take("a", 5), shares.take("b", 2), shares.take("a", 0)] == [True, True, True]
    with shares.holding("c") as held:
        held.take(0)
        with pytest.raises(NoShareError) as caught:
            held.take(4)
    assert not caught.value.is_own_fault


def test_owner_over_half_of_all_gets_nothing_more() -> None:
    shares = FairShares(10)
    with shares.holding("a") as held:
        held.take(5)
        held.add(1)  # an answer cannot be refused any more
        assert [shares.take("a", 0), shares.take("b", 0), shares.take("b", 4)] == [False, True, True]
    assert _fill(shares, ["a"]) == [3]


class _Pool:
    """A pool of four threads whose calls end when the test says so."""

    def __init__(self) -> None:
        self.pool = FairThreadPool("test", 4)
        self.started: list[str] = []
        self.end = threading.Event()
        self.gone: dict[str, asyncio.Future[None]] = {}

    async def ask(self, owner: str, name: str, patience_secs: float = 60) -> bool:
        self.gone[name] = asyncio.get_running_loop().create_future()
        if not await self.pool.acquire(owner, patience_secs, lambda: self.gone[name]):
            return False
        self.started.append(name)  # in the order of the turns: threads start in any order
        await self.pool.run(owner, lambda: self.end.wait(60))
        return True


@pytest.fixture
def pool() -> Iterator[_Pool]:
    with ExitStack() as stack:
        made = _Pool()
        stack.callback(made.end.set)
        yield made


async def _until(pool: _Pool, started: set[str]) -> None:
    async with asyncio.timeout(60):
        while set(pool.started) != started:  # noqa: ASYNC110 - the threads of the pool fill it
            await asyncio.sleep(0.005)


def test_queued_requests_take_turns_by_owner(pool: _Pool) -> None:
    async def scenario() -> list[bool]:
        async with asyncio.TaskGroup() as group:
            names = [("a", f"a{number}") for number in range(8)]
            tasks = [group.create_task(pool.ask(*name)) for name in names]
            await _until(pool, {"a0", "a1"})  # half of the threads
            tasks.append(group.create_task(pool.ask("b", "b0")))
            await _until(pool, {"a0", "a1", "b0"})
            tasks.append(group.create_task(pool.ask("b", "b1")))
            tasks.append(group.create_task(pool.ask("c", "c0")))
            await _until(pool, {"a0", "a1", "b0", "c0"})
            pool.end.set()
        return [task.result() for task in tasks]

    assert asyncio.run(scenario()) == [True] * 11
    # Of the two owners in the queue each had a turn before one of them had its second.
    assert pool.started.index("b1") <= pool.started.index("a3")


def test_request_that_finds_no_thread_in_time_never_runs(pool: _Pool) -> None:
    async def scenario() -> bool:
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(pool.ask("a", f"a{number}"))
            await _until(pool, {"a0", "a1"})
            late = await pool.ask("a", "late", patience_secs=0.01)
            pool.end.set()
        return late

    assert asyncio.run(scenario()) is False
    assert set(pool.started) == {"a0", "a1"}


def test_client_that_is_gone_leaves_the_queue(pool: _Pool) -> None:
    async def scenario() -> tuple[bool, bool]:
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(pool.ask("a", f"a{number}"))
            await _until(pool, {"a0", "a1"})
            gone, next_one = group.create_task(pool.ask("a", "gone")), group.create_task(pool.ask("a", "next"))
            await asyncio.sleep(0)
            pool.gone["gone"].set_result(None)
            is_gone_served = await gone
            pool.end.set()
        return is_gone_served, next_one.result()

    assert asyncio.run(scenario()) == (False, True)
    assert set(pool.started) == {"a0", "a1", "next"}


def test_cancelled_request_gives_its_turn_to_the_next(pool: _Pool) -> None:
    async def scenario() -> bool:
        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(pool.ask("a", f"a{number}"))
            await _until(pool, {"a0", "a1"})
            cancelled = group.create_task(pool.ask("a", "cancelled"))
            next_one = group.create_task(pool.ask("a", "next"))
            await asyncio.sleep(0)
            cancelled.cancel()
            pool.end.set()
        return next_one.result()

    assert asyncio.run(scenario()) is True
    assert set(pool.started) == {"a0", "a1", "next"}
