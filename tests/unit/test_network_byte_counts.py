"""The bytes of a run outlast the egress proxy, and a hostile proxy cannot harm the runner with them."""

import os
from collections.abc import Iterator

import pytest

from sandbox_runtime.network.proxy.process.record import Record
from sandbox_runtime.network.proxy.settings import ByteCounts, new_memory, read_counts


@pytest.fixture
def memory() -> Iterator[int]:
    fd = new_memory()
    yield fd
    os.close(fd)


def test_the_counts_of_a_run_are_those_of_its_record(memory: int) -> None:
    assert read_counts(memory) == (0, 0)
    record = Record(ByteCounts(memory))
    record.add_bytes(sent=5)
    record.add_bytes(received=1 << 40)
    record.add_bytes(sent=2)
    assert read_counts(memory) == (record.bytes_sent, record.bytes_received) == (7, 1 << 40)
    record.close()
    record.add_bytes(sent=1)
    assert read_counts(memory) == (7, 1 << 40)


@pytest.mark.parametrize("size", [0, 15])
def test_memory_that_the_proxy_has_shortened_counts_nothing(memory: int, size: int) -> None:
    os.ftruncate(memory, size)
    assert read_counts(memory) == (0, 0)


def test_counts_beyond_every_number_are_bounded(memory: int) -> None:
    os.pwrite(memory, b"\xff" * 16, 0)
    assert read_counts(memory) == (1 << 53, 1 << 53)
