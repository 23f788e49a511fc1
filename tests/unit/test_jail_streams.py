"""Reading of output: what a run costs its supervisor is bounded, whatever it writes. Reads are counted, not timed."""

import os
import select
import time
from collections.abc import Iterator

import pytest

from sandbox_runtime.jail.supervisor.run_io import Capture, PacedReading

FREE_READS, PAUSE_MS, BYTES_A_READ = 64, 10, 4096  # what the documentation of the module promises


class Pipe:
    """A pipe, its paced reader, and a clock that stands still until the test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now_ns)
        read_end, self.write_end = os.pipe()
        self.capture = Capture(read_end, 1 << 22)
        self._poller = select.poll()
        self.paced = PacedReading(self._poller, [self.capture])

    def turn(self) -> None:
        """Once around the supervisor's loop."""
        for fd, _ in self._poller.poll(0):
            self.paced.read(fd)
        self.paced.resume()

    def write(self, size: int, *, times: int, pause_us: int) -> None:
        for _ in range(times):
            os.write(self.write_end, b"x" * size)
            self.turn()
            self.now_ns += pause_us * 1000


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    made = Pipe(monkeypatch)
    yield made
    made.capture.close()
    os.close(made.write_end)


@pytest.mark.parametrize(("size", "pause_us"), [(1, 0), (1, 100), (1, 999), (7, 100), (100, 50)])
def test_tiny_writes_cost_a_bounded_number_of_reads(pipe: Pipe, size: int, pause_us: int) -> None:
    writes = 5000
    pipe.write(size, times=writes, pause_us=pause_us)
    earned = FREE_READS + size * writes // BYTES_A_READ
    assert pipe.capture.reads <= earned + writes * pause_us / 1000 / PAUSE_MS + 2
    pipe.capture.drain()
    assert len(pipe.capture.take()) == size * writes, "nothing is lost"


def test_writes_of_a_usual_size_are_read_at_once(pipe: Pipe) -> None:
    pipe.write(BYTES_A_READ, times=500, pause_us=0)
    assert pipe.capture.reads == 500
    assert pipe.paced.timeout_ms(1000) == 1000


def test_a_program_that_writes_little_is_read_at_once(pipe: Pipe) -> None:
    pipe.write(1, times=FREE_READS, pause_us=0)
    assert len(pipe.capture.take()) == FREE_READS


def test_a_resting_pipe_is_read_again_when_its_pause_is_over(pipe: Pipe) -> None:
    pipe.write(1, times=2 * FREE_READS, pause_us=0)
    assert len(pipe.capture.take()) == FREE_READS + 1
    assert 0 < pipe.paced.timeout_ms(1000) <= PAUSE_MS + 1
    pipe.now_ns += PAUSE_MS * 1_000_000
    pipe.turn()  # polled again from here on
    pipe.turn()
    assert len(pipe.capture.take()) == 2 * FREE_READS


def test_a_guest_that_empties_its_own_pipe_pays_for_the_reads_that_find_nothing(pipe: Pipe) -> None:
    for _ in range(1000):
        os.write(pipe.write_end, b"x")
        os.read(pipe.capture.fd, 1)
        pipe.paced.read(pipe.capture.fd)
    assert pipe.capture.reads == FREE_READS + 1


def test_a_pipe_without_a_right_to_be_opened_is_still_written_and_read(pipe: Pipe) -> None:
    pipe.capture.forbid_opening()
    assert os.fstat(pipe.write_end).st_mode & 0o777 == 0
    pipe.write(5, times=1, pause_us=0)
    assert pipe.capture.take() == b"xxxxx"
