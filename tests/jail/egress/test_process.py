"""The process of the egress proxy: what it may do, and what its death means."""

import os
import signal
import socket
import struct
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import pytest

from sandbox_runtime.jail.controls.cgroup import SlotGroups, open_groups
from sandbox_runtime.jail.controls.identity import guest_uid, init_uid, proxy_uid
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.network import helper_process
from sandbox_runtime.network.model import (
    DNS_PORT,
    NAME_SERVER,
    AllowedHost,
    Failure,
    NetworkError,
    NetworkTable,
    Refusal,
)
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings, client
from sandbox_runtime.network.proxy.client import CODE, ProxyProcess
from sandbox_runtime.network.proxy.process.sockets import BUFFER_BYTES
from sandbox_runtime.network.proxy.settings import HOST_NAME, RunLimits
from tests.jail.egress.guest import GuestRun, framed, read_all
from tests.jail.egress.tries import HOSTS, NAME, greets
from tests.jail.egress.weaknesses import Proxies, weakened
from tests.jail.egress.world import BANNER, ECHO, ENDLESS, GREETING, RESOLVER, SINK, TARGET, World
from tests.jail.weakened.limits import SLOWNESS
from tests.until import until

_SLOW = 82  # port of a target

# After the confinement the process tries all, and its answer tells what worked.
_TRY = """
import mmap, os, resource, socket
from sandbox_runtime.network.confinement import send
from sandbox_runtime.network.proxy.process import server as start
RUNNER = os.getppid()
def works(code):
    try:
        exec(code)
    except OSError:
        return False
    return True
class Trying:
    def __init__(self, control, *_, **__):
        send(control, {{attempt: works(code) for attempt, code in {attempts!r}.items()}})
start.Server = Trying
{off}
"""
_OFF = "start.confine = lambda uid, entry_fds, program: 1000"
ATTEMPTS = {
    "read a file": "open('/etc/passwd').close()",
    "list the root": "os.listdir('/')",
    "make a file": "os.close(os.open('/tmp', os.O_TMPFILE | os.O_WRONLY))",
    "start a process": "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "fork": "pid = os.fork(); pid or os._exit(0); os.waitpid(pid, 0)",
    "signal the runner": "os.kill(RUNNER, 0)",
    "become root": "os.setresuid(0, 0, 0)",
    "make a listener": "socket.create_server(('127.0.0.1', 0)).close()",
    "open a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()",
    "open a packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()",
    "open a local socket": "socket.socket(socket.AF_UNIX).close()",
    "open a netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()",
    "enter a namespace": "os.unshare(os.CLONE_NEWNET)",
    "read the memory of another process": "open(f'/proc/{RUNNER}/mem').close()",
    "map memory as code": "mmap.mmap(-1, 4096, prot=mmap.PROT_EXEC | mmap.PROT_READ).close()",
    "change its limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "leave its root": "os.chroot('/tmp')",
}


def try_all(*, is_confined: bool) -> dict[str, bool]:
    code = _TRY.format(attempts=ATTEMPTS, off="" if is_confined else _OFF)
    process = ProxyProcess(ProxySettings(), f"{code}\n{CODE}")
    process.close()
    return process.ready


@pytest.fixture(scope="module")
def confined() -> dict[str, bool]:
    return try_all(is_confined=True)


@pytest.fixture(scope="module")
def unconfined() -> dict[str, bool]:
    return try_all(is_confined=False)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_process_can_do_nothing_but_connect(
    confined: dict[str, bool], unconfined: dict[str, bool], attempt: str
) -> None:
    assert not confined[attempt]
    assert unconfined[attempt]


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_process_has_a_user_of_its_own_and_no_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-runner")
    process = ProxyProcess(ProxySettings(), CODE)
    try:
        found = status(process.pid)
        assert set(found["Uid"].split()) == set(found["Gid"].split()) == {str(proxy_uid())}
        assert found["Groups"] == ""
        assert {int(found[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
        assert (found["NoNewPrivs"], found["Seccomp"], found["Threads"]) == ("1", "2", "1")
        assert b"secret-of-the-runner" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        assert "rustbox-" in Path(f"/proc/{process.pid}/cgroup").read_text()
        assert proxy_uid() not in {guest_uid(index) for index in range(64)} | {init_uid(guest_uid(0))}
    finally:
        process.close()


def test_busy_programs_take_no_cpu_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def open_and_keep(name: str) -> SlotGroups:
        groups = open_groups(name)
        opened.append(groups)
        return groups

    monkeypatch.setattr(helper_process, "open_groups", open_and_keep)
    process = ProxyProcess(ProxySettings(), CODE)
    try:
        (groups,) = opened
        of_version_1 = groups.backend == "cgroup_v1"
        raised = groups._share / "cpu.shares" if of_version_1 else groups._slot / "cpu.weight"
        assert int(raised.read_text()) == (262_144 if of_version_1 else 10_000)
        own, lines = f"/{raised.parent.name}/", Path(f"/proc/{process.pid}/cgroup").read_text().splitlines()
        assert any(own in line for line in lines if not of_version_1 or "cpu" in line.split(":")[1].split(","))
    finally:
        process.close()


def test_after_its_death_the_evidence_says_so_and_the_next_run_has_a_new_process(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.resolver.set(NAME, TARGET)
    proxy = EgressProxy(weakened()[0])
    try:
        with GuestRun(proxy, world.runner, HOSTS) as run:
            assert greets(run, NAME)
            assert proxy.pid is not None
            os.kill(proxy.pid, signal.SIGKILL)
            os.waitid(os.P_PID, proxy.pid, os.WEXITED | os.WNOWAIT)
            assert not greets(run, NAME)  # its listeners are closed with it
            evidence = run.end()
            assert (evidence.connections, evidence.error != "") == ((), True)
            # The project's quota of bytes counts them all the same.
            assert (evidence.bytes_sent, evidence.bytes_received) == (0, len(BANNER))
            assert logged(caplog) == [evidence.error]
        with GuestRun(proxy, world.runner, HOSTS) as run:
            assert greets(run, NAME)
            assert run.end().error == ""
    finally:
        proxy.close()


# What the process does with the request to open a run.
_OPENINGS = {
    "refuses": "[os.close(fd) for fd in fds]; return {'error': 'no'}",
    "never answers": "[time.sleep(0) for _ in iter(int, 1)]",
    "dies": "os._exit(1)",
    "is malformed": "[os.close(fd) for fd in fds]; return []",
    "serves": "return method(self, request, fds)",
}


@pytest.mark.parametrize("opening", _OPENINGS)
def test_nothing_leaves_a_run_that_the_process_did_not_open(
    world: World, monkeypatch: pytest.MonkeyPatch, opening: str
) -> None:
    """The program connects and sends before the runner knows."""
    world.resolver.set(NAME, TARGET)
    world.received.clear()
    code = f"""
import os, time
from sandbox_runtime.network.proxy.process.server import Server
method = Server._open
def opens(self, request, fds): {_OPENINGS[opening]}
Server._open = opens
"""
    monkeypatch.setattr(SETUP_TIMEOUT, "secs", 3.0 * SLOWNESS)
    proxy = EgressProxy(weakened()[0], f"{code}\n{CODE}")
    hosts = [AllowedHost(NAME, SINK)]
    address = NetworkTable.of(hosts).literals[0][2]
    try:
        with GuestRun(proxy, world.runner, hosts) as run:
            with suppress(ConnectionError), run.connect_to(address, SINK) as connected:
                connected.sendall(b"secret")
            if opening == "serves":
                assert run.end().error == ""
            else:
                with pytest.raises(NetworkError, match="no" if opening == "refuses" else "talk to"):
                    run.end()
        if opening == "serves":
            world.wait_for(SINK, len(b"secret"))
        assert world.received == ({SINK: len(b"secret")} if opening == "serves" else {})
    finally:
        proxy.close()


def test_a_run_that_was_served_is_not_taken_for_a_refused_one(world: World) -> None:
    """A refused run is run again. The hosts of this one would see its requests twice."""
    world.resolver.set(NAME, TARGET)
    proxy = EgressProxy(weakened()[0])
    try:
        with GuestRun(proxy, world.runner, HOSTS) as run:
            assert greets(run, NAME)
            assert proxy.pid is not None
            os.kill(proxy.pid, signal.SIGKILL)
            os.waitid(os.P_PID, proxy.pid, os.WEXITED | os.WNOWAIT)
            with GuestRun(proxy, world.runner, HOSTS) as second:  # it starts a new process
                assert greets(second, NAME)
            assert run.end().error != ""
    finally:
        proxy.close()


# The control off: connections close in order with the process.
_WITHOUT_RESET = "from sandbox_runtime.network.proxy.process import run; run.reset_on_close = lambda _: None"


@pytest.mark.parametrize("code", [CODE, f"{_WITHOUT_RESET}\n{CODE}"], ids=["reset", "control off"])
def test_after_its_death_an_idle_connection_is_reset(world: World, code: str) -> None:
    world.resolver.set(NAME, TARGET)
    proxy = EgressProxy(weakened()[0], code)
    try:
        with GuestRun(proxy, world.runner, [AllowedHost(NAME, ECHO)]) as run:
            connected = run.connect(NAME, ECHO)
            connected.send(b"x")
            assert connected.recv(1) == b"x"
            assert proxy.pid is not None
            os.kill(proxy.pid, signal.SIGKILL)
            if code == CODE:
                with pytest.raises(ConnectionResetError):
                    connected.recv(1)
            else:
                assert connected.recv(1) == b""
    finally:
        proxy.close()


def test_an_answer_that_waits_in_the_kernel_arrives_after_the_proxy_has_closed(world: World) -> None:
    """The program reads only when the proxy has no socket of the connection any more."""
    answer = os.urandom(BUFFER_BYTES)

    def serve(_: World, connected: socket.socket) -> None:
        while connected.recv(1):  # until the program has ended its direction
            pass
        connected.sendall(answer)

    world.serve(world.outside, _SLOW, serve)
    world.resolver.set(NAME, TARGET)
    proxy = EgressProxy(weakened()[0])
    try:
        with GuestRun(proxy, world.runner, [AllowedHost(NAME, _SLOW)]) as run:
            address = run.look_up(NAME)  # by now the proxy has opened the run
            before = count_descriptors(proxy)
            connected = run.new_socket()
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connected.connect((address, _SLOW))
            until(lambda: count_descriptors(proxy) > before)
            connected.shutdown(socket.SHUT_WR)
            until(lambda: count_descriptors(proxy) == before)
            assert read_all(connected) == answer
    finally:
        proxy.close()


def count_descriptors(proxy: EgressProxy) -> int:
    return len(list(Path(f"/proc/{proxy.pid}/fd").iterdir()))


_QUESTION = dns.message.make_query(NAME, "A").to_wire()[12:]


def message(flags: int, counts: tuple[int, int, int, int] = (1, 0, 0, 0), rest: bytes = _QUESTION) -> bytes:
    """A DNS message with this header, and an ordinary question behind it."""
    return struct.pack("!HH4H", 7, flags, *counts) + rest


NO_QUERIES = {
    **{f"operation {number}": message(number << 11) for number in range(1, 16)},
    "update without a zone": message(5 << 11, (0, 0, 0, 0), b""),
    "answer": message(0x8000),
    "answer to an update": message(0x8000 | 5 << 11),
    "truncated query": message(0x0200),
    "no question": message(0, (0, 0, 0, 0)),
    "two questions": message(0, (2, 0, 0, 0), 2 * _QUESTION),
    "more questions than bytes": message(0, (0xFFFF,) * 4),
    "answer beside the question": message(0, (1, 1, 0, 0)),
    "authority beside the question": message(0, (1, 0, 1, 0)),
    "half a question": message(0, rest=_QUESTION[:-3]),
    "no bytes behind the header": message(0, rest=b""),
    "half a header": message(0)[:7],
    "nothing": b"",
}


@pytest.mark.parametrize("sent", NO_QUERIES.values(), ids=NO_QUERIES)
def test_a_message_that_is_no_query_ends_nothing(world: World, proxies: Proxies, sent: bytes) -> None:
    world.resolver.set(NAME, TARGET)
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        asking = run.new_socket(socket.SOCK_DGRAM)
        asking.connect((NAME_SERVER, DNS_PORT))
        asking.send(sent)
        with run.connect_dns() as connected:
            connected.sendall(framed(sent))
            with suppress(ConnectionResetError):
                connected.recv(100)
        assert greets(run, NAME)
        assert run.end().error == ""


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the problems of the log lines about failed runs."""
    lines = [record for record in caplog.records if record.getMessage() == "egress proxy failed a run"]
    assert all(record.__dict__["execution_id"] for record in lines)
    return [record.__dict__["problem"] for record in lines]


def test_an_error_of_ours_ends_one_run_and_no_other_and_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The first query of a name with `bug` raises an error that nobody expects."""
    world.resolver.set(NAME, TARGET)
    bug = """
from sandbox_runtime.network.proxy.process import name_service
refusal = name_service.NameTable.refusal
name_service.NameTable.refusal = lambda self, name: 1 // 0 if "bug" in name else refusal(self, name)
"""
    proxy = EgressProxy(weakened()[0], f"{bug}\n{CODE}")
    try:
        with GuestRun(proxy, world.runner, HOSTS) as first, GuestRun(proxy, world.runner, HOSTS) as second:
            asking = first.new_socket(socket.SOCK_DGRAM)
            asking.connect((NAME_SERVER, DNS_PORT))
            asking.send(dns.message.make_query("bug.example.org", "A").to_wire())
            until(lambda: is_refused(asking))
            assert greets(second, NAME)
            assert first.end().error == Failure.PROXY_FAILED
            assert second.end().error == ""
        assert logged(caplog) == ["proxy failed: ZeroDivisionError in <string>, line 5"]
    finally:
        proxy.close()


@pytest.mark.parametrize(("method", "failing_call"), [("__init__", 1), ("end", 0)])
def test_an_error_of_ours_in_a_request_of_the_runner_ends_one_run_and_no_other(
    world: World, method: str, failing_call: int
) -> None:
    """The second run has an error that nobody expects, at its begin or its end."""
    world.resolver.set(NAME, TARGET)
    bug = f"""
import itertools
from sandbox_runtime.network.proxy.process.run import Run
method, calls = Run.{method}, itertools.count()
def fail_once(*arguments, **named):
    if next(calls) == {failing_call}:
        raise ArithmeticError
    return method(*arguments, **named)
Run.{method} = fail_once
"""
    proxy = EgressProxy(weakened()[0], f"{bug}\n{CODE}")
    try:
        with GuestRun(proxy, world.runner, HOSTS) as first:
            if method == "end":
                with GuestRun(proxy, world.runner, HOSTS) as second:
                    assert second.end().error == Failure.PROXY_FAILED
            else:
                with pytest.raises(NetworkError), GuestRun(proxy, world.runner, HOSTS):
                    pass
            assert greets(first, NAME)
            assert first.end().error == ""
    finally:
        proxy.close()


def is_refused(asking: socket.socket) -> bool:
    try:
        asking.send(bytes(12))
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize(("cpu_secs", "failure"), [(0.01, Failure.TOO_MUCH_WORK), (60, None)])
def test_a_run_that_costs_the_proxy_much_cpu_time_loses_its_network(
    world: World, cpu_secs: float, failure: Failure | None
) -> None:
    world.resolver.set(NAME, TARGET)
    settings = weakened("limits")[0]
    proxy = EgressProxy(replace(settings, limits=replace(settings.limits, cpu_secs=cpu_secs)))
    try:
        with GuestRun(proxy, world.runner, HOSTS) as run:
            with suppress(OSError), run.connect(NAME, ECHO) as connected:
                for _ in range(2_000):
                    connected.sendall(b"x")
                    connected.recv(1)
            (entry,) = run.end().connections
        assert entry.first_error == failure
    finally:
        proxy.close()


def test_a_proxy_has_a_bounded_number_of_runs(world: World) -> None:
    proxy = EgressProxy(replace(weakened()[0], runs=2))
    try:
        with GuestRun(proxy, world.runner, HOSTS), GuestRun(proxy, world.runner, HOSTS) as second:
            with pytest.raises(NetworkError, match="too many runs"), GuestRun(proxy, world.runner, HOSTS):
                pass
            second.end()
            with GuestRun(proxy, world.runner, HOSTS) as third:
                world.resolver.set(NAME, TARGET)
                assert greets(third, NAME)
    finally:
        proxy.close()


def test_runs_that_fill_all_their_buffers_take_no_memory_of_another(world: World) -> None:
    world.resolver.set(NAME, TARGET)
    proxy = EgressProxy(ProxySettings((RESOLVER,), runs=8))
    try:
        with ExitStack() as floods:
            for _ in range(7):
                run = floods.enter_context(GuestRun(proxy, world.runner, HOSTS))
                for _ in range(RunLimits().open_connections):
                    with suppress(OSError):
                        flooding = run.connect(NAME, ENDLESS)  # it sends, and reads nothing, like this program
                        flooding.setblocking(False)
                        flooding.send(bytes(1 << 20))
            with GuestRun(proxy, world.runner, HOSTS) as run:
                assert greets(run, NAME)
    finally:
        proxy.close()


def test_the_memory_is_enough_for_the_buffers_of_all_runs() -> None:
    memory_bytes, socket_bytes = client.memory_limits(ProxySettings(runs=16))
    buffers_bytes = 16 * RunLimits().open_connections * 2 * 2 * 2 * BUFFER_BYTES  # the kernel doubles the number
    assert buffers_bytes < socket_bytes < memory_bytes < 1 << 30


def test_the_evidence_names_what_was_refused_and_how_often(world: World, proxies: Proxies) -> None:
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        for _ in range(3):
            run.query("evil.example", "TXT")
        run.query("x" * 60 + "." + "y" * 60 + ".example.org", "A")
        for number in range(17):
            run.query(f"{number}.example.org", "A")
        with suppress(OSError), run.connect_to("198.19.9.9", 80) as connected:
            connected.recv(1)
        found = {(entry.name, entry.address, entry.port): (entry.times, entry.reason) for entry in run.end().refused}
    assert found["evil.example", None, None] == (3, Refusal.NOT_ALLOWED)
    assert found["x" * 60 + "." + "y" * 60 + ".example.org", None, None] == (1, Refusal.NAME_TOO_LONG)
    assert found["16.example.org", None, None] == (1, Refusal.TOO_MANY_NAMES)
    assert found[None, "198.19.9.9", 80] == (1, Refusal.UNKNOWN_ADDRESS)


def test_no_query_of_a_program_reaches_the_resolver_before_its_connect(world: World, proxies: Proxies) -> None:
    asked = world.resolver.asked.total()
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        for kind in ("A", "AAAA", "TXT", "NULL"):
            run.query("secret-in-a-label.example.org", kind)
            run.query("secret-in-a-label.evil.example", kind)
    assert world.resolver.asked.total() == asked


def test_a_name_is_looked_up_once_for_each_run(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, TARGET)
    asked = world.resolver.asked[NAME]
    for runs in (1, 2):
        with GuestRun(proxies(), world.runner, HOSTS) as run:
            assert all(greets(run, NAME) for _ in range(4))
        assert world.resolver.asked[NAME] == asked + 2 * runs  # A and AAAA


def test_the_host_has_no_name_in_production_and_refused_ports_in_development(world: World) -> None:
    hosts = [AllowedHost(HOST_NAME, GREETING), AllowedHost(HOST_NAME, ECHO)]
    settings = replace(weakened("host")[0], refused_host_ports=(ECHO,))
    proxy = EgressProxy(settings)
    try:
        with GuestRun(proxy, world.runner, hosts) as run:
            assert greets(run, HOST_NAME, GREETING)
            assert not greets(run, HOST_NAME, ECHO)
            failures = {entry.port: entry.first_error for entry in run.end().connections}
        assert failures == {GREETING: None, ECHO: Failure.ADDRESS_REFUSED}
    finally:
        proxy.close()
