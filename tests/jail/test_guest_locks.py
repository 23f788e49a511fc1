"""flock(2) does nothing in a guest: no other tenant meets the lock, and programs that ask for one still work."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from sandbox_runtime.jail import Slot, SlotConfig, open_slot
from sandbox_runtime.languages import Language
from tests.guest_files import guest, guests
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.neighbours import name_and_owner, run_client_beside_server
from tests.jail.weakened.slots import WeakenedSlot

Run = Callable[..., ExecutionCompleted]

# Descriptors of which the host and all guests have one inode, a shared file, and one of its own.
KINDS = guest("locks/descriptors.py")
HOLD = KINDS + "import ctypes, signal\nctypes.CDLL(None).prctl(15, b'neighbour')\nsignal.pause()\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def names_of_lockers() -> set[str]:
    """Names of the processes that proc_locks(5) of the host lists."""
    pids = re.findall(r"^\d+: +\S+ +\S+ +\S+ +(\d+) ", Path("/proc/locks").read_text(), re.MULTILINE)
    return {name_and_owner(Path("/proc") / pid)[0] for pid in pids}


def test_the_host_lists_no_lock_of_a_guest_and_no_guest_meets_one(stack: ExitStack) -> None:
    seen: list[set[str]] = []
    _, visitor = run_client_beside_server(stack, open_slot, HOLD, KINDS, lambda: seen.append(names_of_lockers()))
    assert (visitor.exit_code, visitor.stdout, visitor.stderr) == (0, b"", b"")
    assert "neighbour" not in seen[0]


def test_without_the_filter_they_would(stack: ExitStack) -> None:
    def make(config: SlotConfig) -> Slot:
        return WeakenedSlot(config, "seccomp")

    seen: list[set[str]] = []
    _, visitor = run_client_beside_server(stack, make, HOLD, KINDS, lambda: seen.append(names_of_lockers()))
    assert visitor.stdout.decode().splitlines() == ["taken eventfd", "taken epoll", "taken user namespace"]
    assert "neighbour" in seen[0]


# Both map the same file. The server waits on its first word, and the client wakes all that wait there. The kernel tells
# the client how many those were: the server may be killed before it could say so itself.
FUTEX = """
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
file = os.open("/usr/bin/true", os.O_RDONLY)
word = libc.mmap(None, ctypes.c_size_t(4096), mmap.PROT_READ, mmap.MAP_SHARED, file, ctypes.c_long(0))
FUTEX, WAIT, WAKE = {"x86_64": 202, "aarch64": 98}[os.uname().machine], 0, 1
"""
WAITS = (
    FUTEX
    + """
libc.prctl(15, b"neighbour")
value = ctypes.c_int.from_address(word).value
while True:
    libc.syscall(FUTEX, ctypes.c_void_p(word), WAIT, value, None, None, 0)
"""
)
WAKES = (
    FUTEX
    + """
import time
for _ in range(100):
    if woken := libc.syscall(FUTEX, ctypes.c_void_p(word), WAKE, 1000, None, None, 0):
        print(woken)
        break
    time.sleep(0.02)
"""
)


def test_a_futex_on_a_page_of_a_shared_file_wakes_another_guest(stack: ExitStack) -> None:
    """Not defended: docs/threat-model.md says so, and must change with this."""
    _, waker = run_client_beside_server(stack, open_slot, WAITS, WAKES)
    assert waker.stdout == b"1\n"


# Each prints "ok" at its end.
PROGRAMS = guests("locks/files")


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name in CHOSEN_LANGUAGES])
def test_programs_that_take_locks_work(name: str, run: Run, languages: Mapping[str, Language]) -> None:
    assert name in languages, "the toolchain does not work on this host"
    completed = run(name, PROGRAMS[name])
    assert (completed.result.verdict, completed.stdout.inline) == ("AC", b"ok\n"), completed
