"""The cache of compiled programs against damage, strangers, floods, age and threads."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sandbox_runtime.executor import CompileCache
from sandbox_runtime.executor.compilation import ENTRY_BYTES, CachedProgram, CompileKey
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.languages import compile_spec
from sandbox_runtime.languages.c import C

KIB, MIB = 1 << 10, 1 << 20
ARTIFACT, WARNINGS = b"\x7fELF" + secrets.token_bytes(20_000), b"warning: x\n"
PROGRAM = CachedProgram(ARTIFACT, WARNINGS)
SIZE_BYTES = len(ARTIFACT) + len(WARNINGS) + ENTRY_BYTES
AGE_SECS = 600


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_secs = 1000.0

    def __call__(self) -> float:
        return self.now_secs


def step(code: bytes = b"code") -> JailSpec:
    assert C.compile is not None
    return compile_spec(C, C.compile, code)


def made(max_bytes: int = MIB, clock: Clock | None = None) -> CompileCache:
    return CompileCache({"c": "digest"}, max_bytes=max_bytes, max_age_secs=AGE_SECS, clock=clock or Clock())


def key_of(cache: CompileCache, project: str = "p", code: bytes = b"code") -> CompileKey:
    key = cache.key(project, "c", step(code))
    assert key is not None
    return key


def test_a_program_is_found_by_its_key_only() -> None:
    cache = made()
    key = key_of(cache)
    assert cache.find(key) is None
    cache.keep(key, PROGRAM)
    assert cache.find(key) == PROGRAM
    assert cache.find(key_of(cache, code=b"code2")) is None


def test_a_project_never_finds_a_program_that_another_compiled() -> None:
    cache = made()
    cache.keep(key_of(cache, "p"), PROGRAM)
    assert cache.find(key_of(cache, "q")) is None
    assert cache.find(replace(key_of(cache, "p"), project_id="q")) is None
    assert cache.find(replace(key_of(cache, "q"), project_id="p")) is None


@pytest.mark.parametrize("toolchains", [{}, {"c": ""}])
def test_without_a_digest_of_the_toolchain_nothing_is_kept(toolchains: dict[str, str]) -> None:
    assert CompileCache(toolchains, max_bytes=MIB, max_age_secs=1).key("p", "c", step()) is None


def test_the_least_recently_used_program_goes_first() -> None:
    size = 64 * KIB
    cache = made(8 * size)
    keys = [key_of(cache, project, code) for project in ("p", "q") for code in (b"1", b"2", b"3", b"4")]
    for key in keys:
        cache.keep(key, CachedProgram(bytes(size - ENTRY_BYTES), b""))
    assert cache.size_bytes == 8 * size
    assert cache.find(keys[0])
    cache.keep(key_of(cache, "r"), CachedProgram(bytes(size - ENTRY_BYTES), b""))
    assert [key in cache._entries for key in keys] == [True, False, True, True, True, True, True, True]
    assert cache.size_bytes == 8 * size


def test_a_project_that_floods_cannot_push_out_all_of_another() -> None:
    cache = made()
    other = key_of(cache, "other")
    cache.keep(other, PROGRAM)
    flood = [key_of(cache, "flood", str(number).encode()) for number in range(200)]
    for key in flood:
        cache.keep(key, PROGRAM)
    assert cache.find(other) == PROGRAM
    assert cache.size_bytes <= MIB // 2 + SIZE_BYTES
    assert cache.find(flood[-1]) == PROGRAM


def test_a_program_over_a_quarter_of_the_cache_is_not_kept_and_pushes_nothing_out() -> None:
    cache = made()
    small, large = key_of(cache), key_of(cache, code=b"large")
    cache.keep(small, PROGRAM)
    cache.keep(large, CachedProgram(bytes(MIB // 4 - ENTRY_BYTES), b"w"))
    assert (cache.find(large), cache.find(small)) == (None, PROGRAM)
    cache.keep(large, CachedProgram(bytes(MIB // 4 - ENTRY_BYTES), b""))
    assert cache.find(large) is not None


def test_empty_programs_are_bounded_in_number() -> None:
    cache = made(64 * KIB)
    for number in range(1000):
        cache.keep(key_of(cache, str(number)), CachedProgram(b"", b""))
    assert len(cache._entries) == 64 * KIB // ENTRY_BYTES
    assert len(cache._project_sizes) == len(cache._entries), "projects that have nothing here are forgotten"


def test_the_same_program_again_takes_no_more_memory() -> None:
    cache = made()
    for _ in range(100):
        cache.keep(key_of(cache), PROGRAM)
    assert cache.size_bytes == SIZE_BYTES


def test_an_old_program_is_not_used_however_often_it_was() -> None:
    clock = Clock()
    cache = made(clock=clock)
    key = key_of(cache)
    cache.keep(key, PROGRAM)
    for _ in range(10):
        clock.now_secs += AGE_SECS / 10 - 0.001
        assert cache.find(key) == PROGRAM
    clock.now_secs += 1
    assert cache.find(key) is None
    assert cache.size_bytes == 0


def test_an_old_program_that_nobody_asks_for_leaves_the_memory() -> None:
    clock = Clock()
    cache = made(clock=clock)
    cache.keep(key_of(cache, "p"), PROGRAM)
    clock.now_secs += AGE_SECS / 2
    cache.keep(key_of(cache, "q"), PROGRAM)
    clock.now_secs += AGE_SECS / 2
    cache.drop_expired()
    assert [key.project_id for key in cache._entries] == list(cache._project_sizes) == ["q"]
    assert cache.size_bytes == SIZE_BYTES


def test_many_threads_keep_the_bound_and_get_their_own_programs() -> None:
    cache = made(256 * KIB)
    workers, rounds = 8, 300
    together = threading.Barrier(workers)

    def work(number: int) -> int:
        together.wait()
        hits = 0
        for turn in range(rounds):
            # Each twice in a row: threads that happen to run one after the other must hit too.
            code = str((number + turn // 2) % 20).encode()
            key = key_of(cache, f"project-{number % 4}", code)
            program = CachedProgram(key.digest * 500, b"")
            found = cache.find(key)
            assert found in {None, program}
            hits += found is not None
            if found is None:
                cache.keep(key, program)
            if turn % 50 == 0:
                cache.drop_expired()
            assert cache.size_bytes <= 256 * KIB
        return hits

    with ThreadPoolExecutor(workers) as pool:
        hits = list(pool.map(work, range(workers)))
    assert sum(hits) > 0
    sizes = {key: len(entry.program.artifact) + ENTRY_BYTES for key, entry in cache._entries.items()}
    assert cache.size_bytes == sum(sizes.values()) == cache._project_sizes.total() <= 256 * KIB
