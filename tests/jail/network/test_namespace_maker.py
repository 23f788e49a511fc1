"""The maker of net namespaces: a process without anything of the runner's, which may die."""

import errno
import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, Slot, open_slot
from sandbox_runtime.jail.spec import GuestFile, JailSpec
from sandbox_runtime.languages import warm_start
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.network.model import AllowedHost, NetworkError, NetworkTable
from sandbox_runtime.network.namespace_maker import NamespaceMaker
from tests.jail.changed_slots import ChangedSlot
from tests.jail.network.arena import ChangedMaker
from tests.jail.prewarmed import PREWARMED, good, python
from tests.jail.slots import slot_config
from tests.until import until

TABLE = NetworkTable.of([AllowedHost("api.test", 443), AllowedHost("api.test", 80), AllowedHost("*.wild.test", 443)])
EMPTY = NetworkTable((), ())
SHOW = "import os; print(os.readlink('/proc/self/ns/net'))"


@pytest.fixture
def maker() -> Iterator[NamespaceMaker]:
    made = NamespaceMaker()
    yield made
    made.close()


@pytest.fixture(scope="module")
def networked() -> Iterator[Slot]:
    with open_slot(slot_config("networked", 47, warm=warm_start([PYTHON]))) as opened:
        yield opened


def process_of(maker: NamespaceMaker) -> Path:
    assert maker._process is not None
    return Path(f"/proc/{maker._process.pid}")


def children_of(process: Path) -> list[str]:
    return (process / "task" / process.name / "children").read_text().split()


def is_waiting(pid: str) -> bool:
    """Whether a child has made its namespace and waits for its order."""
    with suppress(OSError):
        own, its = Path("/proc/self/ns/net").readlink(), Path(f"/proc/{pid}/ns/net").readlink()
        return own != its and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    return False


@contextmanager
def watched(pids: Iterable[str]) -> Iterator[Callable[[], bool]]:
    """Yield whether all these processes have ended. By descriptors: a busy machine soon gives a number away again."""
    with ExitStack() as opened:
        fds = [os.pidfd_open(int(pid)) for pid in pids]
        for fd in fds:
            opened.callback(os.close, fd)
        yield lambda: len(select.select(fds, (), (), 0)[0]) == len(fds)


def namespace_of(slot: Slot, net_namespace: int | None) -> str:
    spec = JailSpec(
        argv=PYTHON.run_argv,
        limits=PREWARMED.limits,
        environment=PYTHON.guest_environment,
        files=(GuestFile("solution.py", SHOW.encode()),),
        family=PYTHON.family,
        net_namespace=net_namespace,
    )
    return good(slot.run(spec)).decode().strip()


def test_it_opens_a_socket_for_each_name_and_port_and_for_look_ups(maker: NamespaceMaker) -> None:
    made = maker.make(TABLE)
    kinds = [(listener.kind, listener.port) for listener in made.listeners]
    made.close_listeners()
    made.close()
    assert kinds == [("dns_udp", 53), ("dns_tcp", 53), ("literal", 443), ("literal", 80), ("wildcard", 443)]


def test_no_other_process_inherits_what_it_hands_over(maker: NamespaceMaker) -> None:
    made = maker.make(TABLE)
    inheritable = [fd for fd in (made.fd, *(each.fd for each in made.listeners)) if os.get_inheritable(fd)]
    made.close_listeners()
    made.close()
    assert inheritable == []


def test_its_process_has_nothing_of_the_runner(maker: NamespaceMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-others")
    with Path("/etc/hostname").open() as kept:
        os.set_inheritable(kept.fileno(), True)
        maker.make(EMPTY).close()
        process = process_of(maker)
        targets = {str(path.readlink()) for path in (process / "fd").iterdir()}
    assert (process / "environ").read_bytes() == b""
    assert {target.partition(":")[0] for target in targets} == {"/dev/null", "socket"}
    assert len([target for target in targets if target.startswith("socket")]) == 1
    status = (process / "status").read_text()
    assert "CapEff:\t0000000000200000" in status  # SYS_ADMIN only
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_after_its_death_it_starts_again(maker: NamespaceMaker) -> None:
    maker.make(EMPTY).close()
    first = process_of(maker)
    until(lambda: any(is_waiting(pid) for pid in children_of(first)))
    with watched(children_of(first)) as has_ended:
        os.kill(int(first.name), signal.SIGKILL)
        until(has_ended, patience_secs=10)  # a child ends after its parent, and may answer once more until then
    maker.make(EMPTY).close()
    assert process_of(maker) != first


def test_its_processes_end_with_it(maker: NamespaceMaker) -> None:
    maker.make(EMPTY).close()
    process = process_of(maker)
    with watched([process.name, *children_of(process)]) as have_ended:
        maker.close()
        until(have_ended)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "process._make_namespace = lambda: (OSError(28, ''), 'unshare namespaces')",
            "unshare namespaces: No space left",
        ),
        ("process.open_listener = lambda order: open('/nonexistent')", "open listeners: No such file"),
        ("process._answer = lambda *_: os._exit(1)", "its maker ended"),
    ],
)
def test_a_failure_names_its_step(change: str, problem: str) -> None:
    refused = ChangedMaker(change)
    try:
        with pytest.raises(NetworkError, match=problem):
            refused.make(EMPTY)
    finally:
        refused.close()


def test_each_run_is_in_the_namespace_that_was_made_for_it(networked: Slot, maker: NamespaceMaker) -> None:
    shown = []
    for _ in range(3):
        made = maker.make(TABLE)
        shown.append((namespace_of(networked, made.fd), f"net:[{os.fstat(made.fd).st_ino}]"))
        made.close_listeners()
        made.close()
    assert [inside for inside, _ in shown] == [outside for _, outside in shown]


def test_a_run_without_network_after_one_with_it_has_an_empty_namespace(networked: Slot, maker: NamespaceMaker) -> None:
    made = maker.make(TABLE)
    with_network = namespace_of(networked, made.fd)
    connect = "import socket; print(socket.socket().connect_ex(('198.18.0.1', 443)), end=' ')\n"
    seen = good(networked.run(python(connect + SHOW))).decode()
    made.close_listeners()
    made.close()
    assert seen.startswith(f"{errno.ENETUNREACH} ")
    assert with_network not in seen


def test_a_prewarmed_run_does_not_serve_a_run_with_network(networked: Slot, maker: NamespaceMaker) -> None:
    networked.prewarm(PREWARMED)
    made = maker.make(TABLE)
    assert namespace_of(networked, made.fd) == f"net:[{os.fstat(made.fd).st_ino}]"
    made.close_listeners()
    made.close()


def test_where_no_namespace_can_be_made_in_advance_a_run_still_has_its_own(maker: NamespaceMaker) -> None:
    refuse = """
    unshare = os.unshare
    def refuse(flags):
        if flags & os.CLONE_NEWNET:
            raise OSError(28, "max_net_namespaces")
        unshare(flags)
    os.unshare = refuse
    """
    made = maker.make(TABLE)
    with ChangedSlot(slot_config("refused", 48), refuse) as slot:
        assert namespace_of(slot, made.fd) == f"net:[{os.fstat(made.fd).st_ino}]"
    made.close_listeners()
    made.close()


def test_a_namespace_that_cannot_be_entered_is_named() -> None:
    with (
        open_slot(slot_config("no-namespace", 48)) as slot,
        Path("/dev/null").open() as no_namespace,
        pytest.raises(JailError, match="enter the net namespace"),
    ):
        namespace_of(slot, no_namespace.fileno())


def test_all_controls_are_in_force_in_a_run_with_network(networked: Slot, maker: NamespaceMaker) -> None:
    made = maker.make(TABLE)
    spec = JailSpec(argv=("/usr/bin/true",), limits=PREWARMED.limits, net_namespace=made.fd)
    evidence = networked.run(spec).evidence
    made.close_listeners()
    made.close()
    assert evidence.controls_missing == ()
