import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

from functions.ttl_cache import TtlCache
from tests.submission_factory import FakeTime


class Value:
    """Something that a weak reference can watch."""


def test_a_value_is_found_until_its_time_is_over() -> None:
    time = FakeTime()
    cache = TtlCache[str, int](1_000, 10, time)
    assert cache.keep("a", 1) == 1
    time.advance(0.999)
    assert (cache.get("a"), cache.get("b")) == (1, None)
    time.advance(0.001)
    assert cache.get("a") is None


def test_a_value_that_is_kept_again_lives_longer() -> None:
    time = FakeTime()
    cache = TtlCache[str, int](1_000, 2, time)
    cache.keep("a", 1)
    cache.keep("b", 2)
    time.advance(0.5)
    cache.keep("a", 3)
    cache.keep("c", 4)
    assert [cache.get(key) for key in "abc"] == [3, None, 4]  # "b" was the oldest
    time.advance(0.6)
    assert cache.get("a") == 3


def test_a_clock_that_is_set_back_makes_values_old() -> None:
    time = FakeTime()
    cache = TtlCache[str, int](1_000, 10, time)
    cache.keep("a", 1)
    time.advance(-0.001)
    assert cache.get("a") is None


def test_there_are_never_more_than_the_most() -> None:
    cache = TtlCache[int, int](1_000, 3, FakeTime())
    for number in range(10):
        cache.keep(number, number)
    assert [cache.get(number) for number in range(10)] == [None] * 7 + [7, 8, 9]


def test_old_values_leave_the_memory_with_the_next_one() -> None:
    time = FakeTime()
    cache = TtlCache[str, Value](1_000, 100, time)
    gone = [weakref.ref(cache.keep(name, Value())) for name in ("a", "b")]
    time.advance(1)
    cache.keep("c", Value())
    gc.collect()
    assert [reference() for reference in gone] == [None, None]
    assert len(cache) == 1


def test_a_dropped_value_is_gone() -> None:
    cache = TtlCache[str, int](1_000, 10, FakeTime())
    cache.keep("a", 1)
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a") is None


def test_threads_share_a_cache_without_wrong_values() -> None:
    cache = TtlCache[int, int](60_000, 50, FakeTime())

    def use(number: int) -> None:
        for step in range(500):
            key = (number + step) % 100
            assert cache.keep(key, key) == key
            assert cache.get(step % 100) in {None, step % 100}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    assert len(cache) == 50


def test_value_is_as_old_as_its_read() -> None:
    time = FakeTime()
    cache = TtlCache[str, int](1_000, 10, time)
    assert cache.keep("a", 1, time.ms - 999) == 1
    assert cache.get("a") == 1
    time.advance(0.001)
    assert cache.get("a") is None
