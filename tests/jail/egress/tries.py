"""Hostile tries at the egress proxy. Each function returns whether its attack works."""

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import dns.message
import dns.rrset

from sandbox_runtime.network.model import DNS_PORT, NAME_SERVER, AllowedHost
from sandbox_runtime.network.proxy.settings import HOST_NAME
from tests.jail.egress.guest import GuestRun, framed
from tests.jail.egress.weaknesses import LIMITS
from tests.jail.egress.world import (
    BANNER,
    BLACK_HOLE,
    ECHO,
    ENDLESS,
    GREETING,
    OWN_ADDRESS,
    OWN_ADDRESS_V6,
    SILENT,
    SINK,
    TARGET,
    World,
)

NAME, OTHER_NAME, WILDCARD = "api.example.com", "db.example.com", "*.example.org"
HOSTS = (
    *(AllowedHost(NAME, port) for port in (GREETING, ECHO, ENDLESS, SINK, SILENT)),
    AllowedHost(OTHER_NAME, 5432),
    AllowedHost(WILDCARD, GREETING),
    AllowedHost(WILDCARD, SINK),
)


@dataclass(frozen=True)
class Try:
    """`attack`: whether it works. `without`: the control that it is against, see `weaknesses`."""

    name: str
    attack: Callable[[World, GuestRun], bool]
    without: str
    hosts: tuple[AllowedHost, ...] = HOSTS


def greets(run: GuestRun, name: str, port: int = GREETING) -> bool:
    """Whether a name's server answers."""
    try:
        with run.connect(name, port) as connected:
            return connected.recv(100) == BANNER
    except (OSError, LookupError):
        return False


def _greets_at(run: GuestRun, address: str, port: int) -> bool:
    try:
        with run.connect_to(address, port) as connected:
            return connected.recv(100) == BANNER
    except OSError:
        return False


def _resolves_to(*records: str) -> Callable[[World, GuestRun], bool]:
    def attack(world: World, run: GuestRun) -> bool:
        world.resolver.set(NAME, *records)
        return greets(run, NAME)

    return attack


PRIVATE = {
    "metadata service": "169.254.169.254",
    "credentials of a task": "169.254.170.2",
    "resolver of a VPC": "169.254.169.253",
    "metadata over IPv6": "fd00:ec2::254",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Azure": "168.63.129.16",
    "metadata of Oracle": "192.0.0.192",
    "metadata as NAT64": "64:ff9b::a9fe:a9fe",
    "metadata as local NAT64": "64:ff9b:1::a9fe:a9fe",
    "metadata as 6to4": "2002:a9fe:a9fe::1",
    "metadata as Teredo": "2001:0:a9fe:a9fe::1",
    "metadata mapped to IPv6": "::ffff:169.254.169.254",
    "10.0.0.0/8": "10.0.0.5",
    "10.0.0.0/8 mapped": "::ffff:10.0.0.5",
    "10.0.0.0/8 as NAT64": "64:ff9b::a00:5",
    "172.16.0.0/12": "172.16.0.5",
    "192.168.0.0/16": "192.168.1.5",
    "carrier-grade NAT": "100.64.0.1",
    "the pool": "198.18.0.1",
    "documentation": "203.0.113.9",
    "6to4 relay": "192.88.99.1",
    "reserved": "240.0.0.1",
    "unique local": "fc00::1",
    "site local": "fec0::1",
    "documentation over IPv6": "2001:db8::1",
    "ORCHID": "2001:20::1",
    "loopback": "127.0.0.1",
    "another loopback address": "127.9.9.9",
    "loopback over IPv6": "::1",
    "loopback mapped": "::ffff:127.0.0.1",
    "unspecified": "0.0.0.0",  # noqa: S104 - refused
    "unspecified over IPv6": "::",
}


def _turns_private(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    assert greets(run, NAME)
    world.resolver.set(NAME, "127.0.0.1")
    asked = world.resolver.asked[NAME]
    for _ in range(3):
        assert greets(run, NAME)
    return world.resolver.asked[NAME] > asked


def _private_among_many(world: World, run: GuestRun) -> bool:
    public = [f"93.184.216.{number}" for number in range(1, 64)]
    world.resolver.set(NAME, "10.0.0.5", *public)
    return greets(run, NAME)


def _private_as_last_of_many(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, *[f"93.184.216.{number}" for number in range(1, 64)], "10.0.0.5")
    return greets(run, NAME)


def _forged_answer(world: World, run: GuestRun) -> bool:
    """The answer is to another question: a resolver's answers may be mixed with an attacker's."""

    def answer(query: dns.message.Message) -> bytes:
        forged = dns.message.make_query("other.example.com.", query.question[0].rdtype, id=query.id)
        response = dns.message.make_response(forged)
        response.answer.append(dns.rrset.from_text("other.example.com.", 5, "IN", "A", TARGET))
        return response.to_wire()

    world.resolver.set_answers(NAME, answer)
    return greets(run, NAME)


def _reaches_port_of_another_name(world: World, run: GuestRun) -> bool:
    world.resolver.set(OTHER_NAME, TARGET)
    return _greets_at(run, run.look_up(OTHER_NAME), GREETING)


def _reaches_unknown_address(address: str) -> Callable[[World, GuestRun], bool]:
    def attack(world: World, run: GuestRun) -> bool:
        world.resolver.set(NAME, TARGET)
        return _greets_at(run, address, GREETING)

    return attack


def _exists(name: str) -> Callable[[World, GuestRun], bool]:
    def attack(world: World, run: GuestRun) -> bool:
        world.resolver.set(name, TARGET)
        return greets(run, name)

    return attack


def _many_names(world: World, run: GuestRun) -> bool:
    """Send data to the name servers of an allowed domain, one label after the other."""
    return (
        sum(bool(run.query(f"{number:x}data.example.org", "A").answer) for number in range(64)) > LIMITS.wildcard_names
    )


def _scan_below_wildcard(world: World, run: GuestRun) -> bool:
    for number in range(30):
        world.resolver.set(f"host{number}.example.org", TARGET)
    return sum(greets(run, f"host{number}.example.org") for number in range(30)) > LIMITS.wildcard_names


def _long_name(world: World, run: GuestRun) -> bool:
    return bool(run.query(".".join(["x" * 50] * 4) + ".example.org", "A").answer)


def _many_queries(world: World, run: GuestRun) -> bool:
    answered = 0
    with suppress(OSError):
        for _ in range(10_000):
            answered += bool(run.query(NAME, "A").answer)
            if answered > 2 * LIMITS.queries:
                return True
    return False


def _many_queries_over_tcp(world: World, run: GuestRun) -> bool:
    query, answered = framed(dns.message.make_query(NAME, "A").to_wire()), 0
    with suppress(OSError), run.connect_dns() as connected:
        for _ in range(10_000):
            connected.sendall(query)
            length = int.from_bytes(connected.recv(2, socket.MSG_WAITALL))
            answered += bool(connected.recv(length))
            if answered > 2 * LIMITS.queries:
                return True
    return False


def _many_tcp_clients(world: World, run: GuestRun) -> bool:
    query = framed(dns.message.make_query(NAME, "A").to_wire())
    answered = 0
    clients = [run.new_socket() for _ in range(30)]
    for client in clients:
        with suppress(OSError):
            client.connect((NAME_SERVER, DNS_PORT))
            client.sendall(query)
            answered += bool(client.recv(2))
    return answered > 4


def _slow_query(world: World, run: GuestRun) -> bool:
    """Hold a connection of the name service with half a query."""
    client = run.connect_dns()
    client.sendall(framed(dns.message.make_query(NAME, "A").to_wire())[:5])
    return run.stays_open(client)


def _long_tcp_query(world: World, run: GuestRun) -> bool:
    """65,535 bytes, of which the proxy would have to keep most."""
    query = dns.message.make_query(NAME, "A").to_wire()
    with suppress(OSError), run.connect_dns() as client:
        client.sendall(framed(query + bytes(65_535 - len(query))))
        return bool(client.recv(2))
    return False


def _open_many(world: World, run: GuestRun) -> bool:
    return _echoing(_connect_many(world, run, ECHO)) > LIMITS.open_connections


def _half_open_many(world: World, run: GuestRun) -> bool:
    """Connect, end the own direction, and stay."""
    opened = _connect_many(world, run, SILENT)
    for connected in opened:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_WR)
    return len(opened) == 2 * LIMITS.open_connections and run.stays_open(opened[-1])


def _connect_many(world: World, run: GuestRun, port: int) -> list[socket.socket]:
    world.resolver.set(NAME, TARGET)
    opened = []
    for _ in range(2 * LIMITS.open_connections):
        with suppress(OSError):
            opened.append(run.connect(NAME, port))
    return opened


def _echoing(opened: list[socket.socket]) -> int:
    count = 0
    for connected in opened:
        with suppress(OSError):
            connected.sendall(b"x")
            count += connected.recv(1) == b"x"
    return count


def _connect_often(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    address = run.look_up(NAME)
    return sum(_greets_at(run, address, GREETING) for _ in range(60)) > LIMITS.connections


def _connect_often_in_vain(world: World, run: GuestRun) -> bool:
    """10,000 connects to addresses without a name: each costs the proxy time."""
    accepted = 0
    for _ in range(10_000):
        with suppress(ConnectionRefusedError):
            with suppress(ConnectionResetError), run.connect_to("198.19.9.9", GREETING) as connected:
                accepted += 1
                connected.recv(1)
            if accepted > 60:
                return True
            continue
        return False
    return False


def _send_much(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    before = world.received.get(SINK, 0)
    with suppress(OSError):
        for _ in range(3):
            with run.connect(NAME, SINK) as connected:
                connected.sendall(bytes(1 << 20))
                connected.shutdown(socket.SHUT_WR)
                connected.recv(1)
    return world.received.get(SINK, 0) - before > LIMITS.bytes_each_way


def _receive_much(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    received = 0
    with suppress(OSError), run.connect(NAME, ENDLESS) as connected:
        while received <= 3 << 20:
            received += len(connected.recv(1 << 16))
    return received > LIMITS.bytes_each_way


def _receive_on_many(world: World, run: GuestRun) -> bool:
    """Each connection stays below the limit, and all of them together do not."""
    world.resolver.set(NAME, TARGET)
    received = 0
    for connected in [run.connect(NAME, ENDLESS) for _ in range(4)]:
        with suppress(OSError):
            part = 0
            while part < 1 << 20:
                part += len(connected.recv(1 << 16))
            received += part
    return received > LIMITS.bytes_each_way


def _stay_idle(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    connected = run.connect(NAME, ECHO)
    with suppress(OSError):
        connected.sendall(b"x")
        connected.recv(1)
        return run.stays_open(connected)
    return False


def _one_byte_a_minute(world: World, run: GuestRun) -> bool:
    """A byte now and then, where the limit is below the pause."""
    world.resolver.set(NAME, TARGET)
    with suppress(OSError):
        connected = run.connect(NAME, SINK)
        for _ in range(2):
            connected.sendall(b"x")
            if not run.stays_open(connected):
                return False
        return True
    return False


def _hang_in_connect(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, BLACK_HOLE)
    return run.stays_open(run.connect(NAME, GREETING))


def _hang_in_look_up(world: World, run: GuestRun) -> bool:
    world.resolver.set_answers(NAME, lambda _: None)
    return run.stays_open(run.connect(NAME, GREETING))


def _read_nothing(world: World, run: GuestRun) -> bool:
    """Read nothing of an endless target: without back pressure its bytes fill the proxy, up to their limit."""
    world.resolver.set(NAME, TARGET)
    connected = run.connect(NAME, ENDLESS)
    poll = select.poll()
    poll.register(connected, 0)  # errors only
    poll.poll(500 if run.is_contained else 60_000)
    return run.end().bytes_received > LIMITS.bytes_each_way


def _send_to_slow_target(world: World, run: GuestRun) -> bool:
    """Send to a target that reads nothing."""
    world.resolver.set(NAME, TARGET)
    connected = run.connect(NAME, SILENT)
    connected.settimeout(0.3 if run.is_contained else 60)
    with suppress(OSError):
        connected.sendall(bytes(32 << 20))
    return run.end().bytes_sent > LIMITS.bytes_each_way


def _send_after_the_end(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    with suppress(OSError), run.connect(NAME, ECHO) as connected:
        connected.sendall(b"x")
        assert connected.recv(1) == b"x"
        run.end()
        connected.sendall(b"y")
        return connected.recv(1) == b"y"
    return False


def _connect_after_the_end(world: World, run: GuestRun) -> bool:
    world.resolver.set(NAME, TARGET)
    address = run.look_up(NAME)
    run.end()
    return _greets_at(run, address, GREETING)


def _host(port: int) -> Callable[[World, GuestRun], bool]:
    def attack(_: World, run: GuestRun) -> bool:
        return greets(run, HOST_NAME, port)

    return attack


TRIES = (
    *(
        Try(f"name that is an address off the Internet: {kind}", _resolves_to(address), "addresses")
        for kind, address in PRIVATE.items()
    ),
    Try("name that is the host's public address", _resolves_to(OWN_ADDRESS), "routes"),
    Try("name that is the host's public IPv6 address", _resolves_to(OWN_ADDRESS_V6), "routes"),
    Try("public name with a private IPv6 address beside", _resolves_to("fc00::1", TARGET), "addresses"),
    Try("alias of a private name", _resolves_to("CNAME inside.corp", "10.0.0.5"), "addresses"),
    Try(
        "alias of an alias of the metadata service",
        _resolves_to("CNAME a.example.com", "CNAME b.example.com", "169.254.169.254"),
        "addresses",
    ),
    Try("private address before 63 public ones", _private_among_many, "addresses"),
    Try("private address after 63 public ones", _private_as_last_of_many, "addresses"),
    Try("name that turns private", _turns_private, "one look-up"),
    Try("answer to another question", _forged_answer, "matching answers"),
    Try("port of one name at the address of another", _reaches_port_of_another_name, "names"),
    Try("address of the pool without a name", _reaches_unknown_address("198.19.7.7"), "names"),
    Try("address of a name of another run", _reaches_unknown_address("198.19.0.1"), "names"),
    Try("loopback of the run", _reaches_unknown_address("127.0.0.1"), "names"),
    Try("name server's address at another port", _reaches_unknown_address(NAME_SERVER), "names"),
    *(
        Try(f"name that is not allowed: {name}", _exists(name), "names")
        for name in ("evil.example", "example.org", "evilexample.org", "a.example.org.evil.com", "x.api.example.com")
    ),
    Try("DNS tunnel of many names", _many_names, "limits"),
    Try("scan through a wildcard", _scan_below_wildcard, "limits"),
    Try("DNS tunnel of long names", _long_name, "limits"),
    Try("10,000 queries", _many_queries, "limits"),
    Try("10,000 queries over TCP", _many_queries_over_tcp, "limits"),
    Try("many connections for queries", _many_tcp_clients, "bounds of DNS"),
    Try("half a query", _slow_query, "bounds of DNS"),
    Try("query of 65,535 bytes", _long_tcp_query, "bounds of DNS"),
    Try("many open connections", _open_many, "limits"),
    Try("many half-open connections", _half_open_many, "limits"),
    Try("connections one after the other", _connect_often, "limits"),
    Try("10,000 connects to no name", _connect_often_in_vain, "limits"),
    Try("more bytes than a run may send", _send_much, "limits"),
    Try("more bytes than a run may receive", _receive_much, "limits"),
    Try("more bytes on many connections", _receive_on_many, "limits"),
    Try("idle connection", _stay_idle, "limits"),
    Try("one byte now and then", _one_byte_a_minute, "limits"),
    Try("target that never answers", _hang_in_connect, "limits"),
    Try("resolver that never answers", _hang_in_look_up, "limits"),
    Try("program that reads nothing", _read_nothing, "back pressure"),
    Try("target that reads nothing", _send_to_slow_target, "back pressure"),
    Try("bytes after the end of the run", _send_after_the_end, "end"),
    Try("connection after the end of the run", _connect_after_the_end, "end"),
    Try("the host's loopback by its name", _host(GREETING), "host", (AllowedHost(HOST_NAME, GREETING),)),
    Try(
        "the host's loopback below a wildcard", _host(GREETING), "host", (AllowedHost("*.rustbox.internal", GREETING),)
    ),
)
