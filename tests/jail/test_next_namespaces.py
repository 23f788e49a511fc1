"""Each run has namespaces of its own, which the template makes before it."""

import errno
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, Slot, open_slot
from sandbox_runtime.languages import warm_start
from sandbox_runtime.languages.python import PYTHON
from tests.jail.changed_slots import ChangedSlot
from tests.jail.prewarmed import PREWARMED, good, python
from tests.jail.slots import slot_config
from tests.until import until

AHEAD = ("net", "ipc", "uts")
SHOW = f"import os\nprint(*[os.readlink('/proc/self/ns/' + name) for name in {AHEAD}])"
# A name that lives as long as its namespace and its process.
LEAVE = """
import socket
named = socket.socket(socket.AF_UNIX)
named.bind("\\0left-behind")
named.listen()
print("left")
"""
LOOK = """
import socket
with socket.socket(socket.AF_UNIX) as client:
    print(client.connect_ex("\\0left-behind"))
"""
# The kernel counts them in the namespace, also after the last process.
SEND_AND_COUNT = """
import socket
print(open("/proc/self/net/snmp").read())
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(7):
        try:
            sender.sendto(b"", ("127.0.0.1", 9))
        except OSError:
            continue
"""
REFUSE = """
import errno
def refuse(flags):
    raise OSError(errno.ENOSPC, "max_net_namespaces")
unshare = os.unshare
os.unshare = lambda flags: refuse(flags) if flags & os.CLONE_NEWNET else unshare(flags)
"""
# What a mistake would be: to take those of the last run for new ones.
FORGET = """
made = template.NextNamespaces.make
def make(self):
    made(self)
    template.NextNamespaces.make = lambda self: setattr(self, "_are_made", True)
template.NextNamespaces.make = make
"""


@pytest.fixture
def slot() -> Iterator[Slot]:
    with open_slot(slot_config("next-namespaces", 48, warm=warm_start([PYTHON]))) as opened:
        yield opened


def namespaces_of_runs(slot: Slot, count: int = 6) -> list[tuple[str, ...]]:
    """Of runs one after the other, every second one prewarmed. An old number may come again, but not at once."""
    shown = []
    for number in range(count):
        if number % 2:
            slot.prewarm(PREWARMED)
        shown.append(tuple(good(slot.run(python(SHOW))).decode().split()))
    return shown


def share(shown: list[tuple[str, ...]]) -> bool:
    """Whether two runs, one behind the other, had one and the same namespace."""
    return any(set(one) & set(next_one) for one, next_one in pairwise(shown))


def namespaces_of(process: int | str) -> set[str]:
    return {str(Path(f"/proc/{process}/ns/{name}").readlink()) for name in AHEAD}


def hosts() -> set[str]:
    return namespaces_of("self")


def test_each_run_has_namespaces_of_its_own(slot: Slot) -> None:
    shown = namespaces_of_runs(slot)
    assert not share(shown)
    assert not hosts().intersection(*shown)


def test_runs_that_share_namespaces_are_detected() -> None:
    with ChangedSlot(slot_config("next-namespaces", 48, warm=warm_start([PYTHON])), FORGET) as forgetful:
        assert share(namespaces_of_runs(forgetful))


def test_the_template_leaves_the_namespaces_of_a_run_after_it(slot: Slot) -> None:
    shown = set(good(slot.run(python(SHOW))).decode().split())
    until(lambda: not namespaces_of(slot.template_pid) & shown)


@pytest.mark.parametrize("is_prewarmed", [False, True])
def test_a_run_finds_nothing_of_the_run_before_in_its_namespaces(
    slot: Slot,
    is_prewarmed: bool,  # noqa: FBT001
) -> None:
    for _ in range(3):
        assert good(slot.run(python(LEAVE))) == b"left\n"
        if is_prewarmed:
            slot.prewarm(PREWARMED)
        assert good(slot.run(python(LOOK))) == f"{errno.ECONNREFUSED}\n".encode()


def counters_of_runs(slot: Slot) -> list[bytes]:
    return [good(slot.run(python(SEND_AND_COUNT))) for _ in range(3)]


def test_a_run_reads_no_counters_of_the_run_before(slot: Slot) -> None:
    assert len(set(counters_of_runs(slot))) == 1


def test_runs_that_share_namespaces_read_counters_of_the_run_before() -> None:
    with ChangedSlot(slot_config("next-namespaces", 48, warm=warm_start([PYTHON])), FORGET) as forgetful:
        assert len(set(counters_of_runs(forgetful))) == 3


def test_without_namespaces_in_advance_each_run_creates_its_own() -> None:
    with ChangedSlot(slot_config("next-namespaces", 48, warm=warm_start([PYTHON])), textwrap.dedent(REFUSE)) as refused:
        shown = namespaces_of_runs(refused)
        assert namespaces_of(refused.template_pid) == hosts()
    assert not hosts().intersection(*shown)


def test_a_run_has_one_hostname_after_any_other_run(slot: Slot) -> None:
    for _ in range(3):
        assert good(slot.run(python("import socket; print(socket.gethostname())"))) == b"rustbox-sandbox\n"


def test_a_clone_that_the_kernel_refuses_is_named() -> None:
    refused = """
    from sandbox_runtime.jail.errors import JailError
    def start(self, namespaces, status_fd, entry_fd):
        raise JailError("clone", "", errno.EAGAIN, "no more processes")
    import errno
    small_init.SmallInit.start = start
    """
    for _ in range(3):
        with (
            ChangedSlot(slot_config("next-namespaces", 48, warm=warm_start([PYTHON])), refused) as slot,
            pytest.raises(JailError, match=r"clone: .*no more processes"),
        ):
            slot.run(python("print(1)"))
