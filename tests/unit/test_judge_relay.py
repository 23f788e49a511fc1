"""The relay between a program and its interactor, over real pipes and real processes."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.jail import GuestPipes
from sandbox_runtime.judging.interaction import Relay
from tests.until import PATIENCE_SECS


def start(code: str, pipes: GuestPipes) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipes.stdin_fd, stdout=pipes.stdout_fd)
    pipes.close()
    return process


@pytest.fixture
def open_descriptors() -> Iterator[None]:
    before = set(Path("/proc/self/fd").iterdir())
    yield
    assert set(Path("/proc/self/fd").iterdir()) <= before


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """All numbers up to 1023 are in use, as in a runner with many slots and connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        while (number := os.open(os.devnull, os.O_RDONLY)) < 1024:
            opened.callback(os.close, number)
        os.close(number)
        yield


def talk(first: str, second: str, most_bytes: int = 1 << 20) -> tuple[Any, Any, int, int]:
    relay = Relay(most_bytes, most_bytes)
    relay.start()
    processes = start(first, relay.first), start(second, relay.second)
    codes = [process.wait(PATIENCE_SECS) for process in processes]
    one, other = relay.close()
    return one, other, codes[0], codes[1]


ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)"


@pytest.mark.usefixtures("open_descriptors")
def test_each_side_reads_the_output_of_the_other() -> None:
    asks = "for n in range(100):\n    print(n, flush=True)\n    assert input() == f'got {n}'"
    one, other, *codes = talk(asks, ECHO)
    assert one == ("".join(f"{n}\n" for n in range(100)).encode(), False)
    assert other == ("".join(f"got {n}\n" for n in range(100)).encode(), False)
    assert codes == [0, 0]


@pytest.mark.usefixtures("open_descriptors")
def test_an_end_reaches_the_other_side_as_the_end_of_its_input() -> None:
    reads = "import sys\nassert sys.stdin.read() == 'all'\n"
    one, other, *codes = talk("print('all', end='')", reads)
    assert (one, other, codes) == ((b"all", False), (b"", False), [0, 0])


@pytest.mark.usefixtures("open_descriptors")
def test_a_writer_may_finish_after_its_reader_has_gone() -> None:
    one, _, *codes = talk("import time\nfor _ in range(5):\n    print('x' * 100000, flush=True)", "pass")
    assert (len(one[0]), codes) == (500_005, [0, 0])


@pytest.mark.usefixtures("open_descriptors")
def test_a_flood_ends_at_its_bound() -> None:
    flood = "import os\nwhile True: os.write(1, b'x' * 65536)"
    one, other, *codes = talk(flood, "import sys\nsys.stdin.read()", most_bytes=100_000)
    assert one == (b"x" * 100_000, True)
    assert other == (b"", False)
    assert codes[0] != 0  # SIGPIPE or BrokenPipeError
    assert codes[1] == 0


@pytest.mark.usefixtures("open_descriptors")
def test_a_slow_reader_gets_everything() -> None:
    sends = "import sys\nfor n in range(100000): sys.stdout.write(f'{n}\\n')"
    slow = (
        "import sys, time\nwanted = ''.join(f'{n}\\n' for n in range(100000))\nfound = ''\n"
        "while part := sys.stdin.read(50000):\n    found += part\n    time.sleep(0.005)\nassert found == wanted"
    )
    one, _, *codes = talk(sends, slow)
    assert (len(one[0]), codes) == (588_890, [0, 0])


@pytest.mark.usefixtures("open_descriptors")
def test_two_floods_block_nobody() -> None:
    flood = "import os\nfor _ in range(40): os.write(1, b'x' * 65536)"
    _, _, *codes = talk(flood, flood, most_bytes=100_000)
    assert all(codes)


@pytest.mark.usefixtures("open_descriptors", "many_descriptors")
def test_the_output_is_read_to_its_end_also_from_a_descriptor_that_select_does_not_know() -> None:
    relay = Relay(1 << 20, 1 << 20)
    assert start("print(42)", relay.first).wait(PATIENCE_SECS) == 0
    assert relay.close() == ((b"42\n", False), (b"", False))


@pytest.mark.usefixtures("open_descriptors")
def test_a_relay_that_was_never_started_leaves_nothing() -> None:
    assert Relay(1, 1).close() == ((b"", False), (b"", False))


@pytest.mark.usefixtures("open_descriptors")
def test_the_ends_of_the_guests_are_closed_once() -> None:
    pipes = GuestPipes(*os.pipe())
    pipes.close()
    reused = os.open("/dev/null", os.O_RDONLY)
    pipes.close()
    os.fstat(reused)
    os.close(reused)


@pytest.mark.usefixtures("open_descriptors")
@pytest.mark.parametrize("ends", ["first", "second"])
@pytest.mark.parametrize("end", ["exits", "is killed", "floods"])
def test_the_order_of_outputs_tells_which_side_ended_first(ends: str, end: str) -> None:
    waits = "import sys\nsys.stdin.read()\nsys.exit(1)"
    code = {
        "exits": "pass",
        "is killed": "import os\nos.kill(os.getpid(), 9)",
        "floods": "while True: print('x' * 1000)",
    }[end]
    relay = Relay(5000, 5000)
    relay.start()
    programs = (code, waits) if ends == "first" else (waits, code)
    for process in (start(programs[0], relay.first), start(programs[1], relay.second)):
        process.wait(PATIENCE_SECS)
    assert relay.has_second_ended_first == (ends == "second")
    relay.close()


@pytest.mark.usefixtures("open_descriptors")
def test_the_end_of_a_flood_counts_when_it_comes_not_when_its_slow_reader_has_read_it() -> None:
    reads_nothing_until_the_flood_has_ended = "import os, sys\nos.read(int(sys.argv[1]), 1)\nsys.exit(0)"
    relay = Relay(1 << 20, 1 << 20)
    relay.start()
    wait, go = os.pipe()
    code = reads_nothing_until_the_flood_has_ended.replace("int(sys.argv[1])", str(wait))
    reader = subprocess.Popen(
        [sys.executable, "-c", code], stdin=relay.second.stdin_fd, stdout=relay.second.stdout_fd, pass_fds=(wait,)
    )
    relay.second.close()
    flood = start("import os\nfor _ in range(200): os.write(1, b'x' * 4096)", relay.first)
    with pytest.raises(subprocess.TimeoutExpired):  # its output is more than all pipes hold
        flood.wait(0.5)
    flood.kill()
    flood.wait(PATIENCE_SECS)
    os.write(go, b"x")
    reader.wait(PATIENCE_SECS)
    assert not relay.has_second_ended_first
    relay.close()
    os.close(wait)
    os.close(go)
