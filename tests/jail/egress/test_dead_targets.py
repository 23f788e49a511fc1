"""A dead target looks dead: the program's connection is reset, and the evidence says why."""

import socket

import pytest

from sandbox_runtime.network.model import AllowedHost, Failure
from tests.jail.egress.guest import GuestRun, read_all
from tests.jail.egress.weaknesses import Proxies
from tests.jail.egress.world import (
    BANNER,
    BLACK_HOLE,
    CLOSED,
    ECHO,
    ENDLESS,
    GREETING,
    HANG_UP,
    SINK,
    TARGET,
    TARGET_V6,
    UNREACHABLE,
    World,
)

NAME = "dead.example.com"
PORTS = (CLOSED, GREETING, HANG_UP, ECHO, ENDLESS, SINK)
HOSTS = [AllowedHost(NAME, port) for port in PORTS]


@pytest.mark.parametrize(
    ("records", "port", "failure"),
    [
        ((TARGET,), CLOSED, Failure.CONNECTION_REFUSED),
        ((TARGET_V6,), CLOSED, Failure.CONNECTION_REFUSED),
        ((BLACK_HOLE,), GREETING, Failure.TIMED_OUT),
        ((UNREACHABLE,), GREETING, Failure.UNREACHABLE),
        ((), GREETING, Failure.NAME_NOT_FOUND),
        (("CNAME nowhere.example.com",), GREETING, Failure.NAME_NOT_FOUND),
        (("10.0.0.5",), GREETING, Failure.ADDRESS_REFUSED),
        ((TARGET,), HANG_UP, Failure.CONNECTION_RESET),
    ],
)
def test_a_program_sees_a_reset_and_the_evidence_says_why(
    world: World, proxies: Proxies, records: tuple[str, ...], port: int, failure: Failure
) -> None:
    world.resolver.set(NAME, *records)
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        with pytest.raises(ConnectionResetError):
            _exchange(run, port)
        (entry,) = run.end().connections
    assert (entry.name, entry.port, entry.connections, entry.first_error) == (NAME, port, 1, failure)
    assert entry.bytes_received == 0


def _exchange(run: GuestRun, port: int) -> None:
    with run.connect(NAME, port) as connected:
        connected.sendall(b"x")
        read_all(connected)


def test_a_resolver_that_fails_is_told_from_a_name_that_does_not_exist(world: World, proxies: Proxies) -> None:
    world.resolver.set_answers(NAME, lambda query: query.to_wire())  # no answer
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        with pytest.raises(ConnectionResetError):
            _exchange(run, GREETING)
        (entry,) = run.end().connections
    assert entry.first_error in {Failure.LOOK_UP_FAILED, Failure.TIMED_OUT}


def test_the_second_address_is_tried_when_the_first_is_dead(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, UNREACHABLE, TARGET)
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        with run.connect(NAME, GREETING) as connected:
            assert read_all(connected) == BANNER
        (entry,) = run.end().connections
    assert (entry.address, entry.first_error) == (TARGET, None)


def test_an_answer_of_more_than_one_packet_is_fetched_over_tcp(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, *[f"93.184.216.{number}" for number in range(1, 120)])
    with GuestRun(proxies(), world.runner, HOSTS) as run, run.connect(NAME, GREETING) as connected:
        assert read_all(connected) == BANNER


def test_a_program_that_ends_at_once_leaves_its_bytes_and_its_outcome(world: World, proxies: Proxies) -> None:
    """A program may connect, send and exit before the proxy has connected."""
    world.resolver.set(NAME, TARGET)
    before = world.received.get(SINK, 0)
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        with run.connect(NAME, SINK) as connected:
            connected.sendall(bytes(100_000))
        run.connect(NAME, CLOSED).close()
        alive, dead = run.end().connections
    assert (alive.bytes_sent, alive.first_error, dead.first_error) == (100_000, None, Failure.CONNECTION_REFUSED)
    world.wait_for(SINK, before + 100_000)


def test_a_target_that_does_not_answer_before_the_end_of_the_run_is_no_success(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, BLACK_HOLE)
    with GuestRun(proxies("limits"), world.runner, HOSTS) as run:
        run.connect(NAME, GREETING).close()
        (entry,) = run.end().connections
    assert entry.first_error == Failure.RUN_ENDED


def test_each_direction_ends_by_itself(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, TARGET)
    data = bytes(range(256)) * 2_000
    with GuestRun(proxies(), world.runner, HOSTS) as run:
        with run.connect(NAME, ECHO) as connected:
            _send_in_pieces(connected, data)
            connected.shutdown(socket.SHUT_WR)
            received = read_all(connected)
        evidence = run.end()
    assert received == data
    assert (evidence.bytes_sent, evidence.bytes_received) == (len(data), len(data))
    assert evidence.connections[0].first_error is None


def _send_in_pieces(connected: socket.socket, data: bytes) -> None:
    for start in range(0, len(data), 50_000):
        connected.sendall(data[start : start + 50_000])


def test_the_answer_of_a_target_that_closes_early_arrives(world: World, proxies: Proxies) -> None:
    world.resolver.set(NAME, TARGET)
    with GuestRun(proxies(), world.runner, HOSTS) as run, run.connect(NAME, GREETING) as connected:
        assert connected.recv(len(BANNER), socket.MSG_WAITALL) == BANNER
