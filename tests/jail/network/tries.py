"""Hostile tries in a run with network. A try that works prints a line with ESCAPED.

The run may reach `api.test` at port 8080. Each try names the control that it is against. With that off, it must work:

* `namespace`: the run is in the host's net namespace, here that of a world in which every address answers.
* `own_namespace`: two runs share a namespace.
* `seccomp`: no filter of system calls.
* `owner`: the guest's user owns the namespace, so it has all capabilities there.
* `owner and seccomp`: either one suffices, so both are off.
* `pool_address`: the listening sockets take connections to any address.
* `socket_memory`: the memory of sockets has no bound.
"""

from dataclasses import dataclass

from sandbox_runtime.jail.controls.cgroup.detect import cgroup_backend
from tests.jail.network.worlds import ENGINE_PORT

NAME, PORT, ADDRESS = "api.test", 8080, "198.18.0.1"
NEIGHBOURS_PORT = 8081

# Helpers of all tries. TIMEOUT: a short one where nothing must come, and a long one where something must.
HELPERS = """
import contextlib, ctypes, errno, fcntl, os, socket, struct, sys, time
from socket import *
def reach(address, port, kind=SOCK_STREAM, family=AF_INET, **options):
    with socket(family, kind) as s:
        s.settimeout(TIMEOUT)
        for (level, name), value in options.get("options", {}).items():
            s.setsockopt(level, name, value)
        if "bind" in options:
            s.bind(options["bind"])
        s.connect((address, port))
        if kind == SOCK_DGRAM:
            s.send(options.get("data", b"x" * 64))
        if s.recv(100):
            print("ESCAPED", address, port)
def tried(call, *arguments, **options):
    try:
        return call(*arguments, **options)
    except OSError as error:
        print(type(error).__name__, error)
def filter_of_one():
    global kept
    kept = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
    return struct.pack('HxxxxxxQ', 1, ctypes.addressof(kept))
"""


@dataclass(frozen=True, slots=True)
class Try:
    """`code`: the program, after HELPERS."""

    name: str
    control: str
    code: str


def _reach(name: str, call: str) -> Try:
    return Try(name, "namespace", f"tried(reach, {call})")


# The metadata service in each notation that a C library takes.
_METADATA = {
    "dotted": "169.254.169.254",
    "decimal": "2852039166",
    "hexadecimal": "0xA9FEA9FE",
    "octal": "0251.0376.0251.0376",
    "dotted hexadecimal": "0xA9.0xFE.0xA9.0xFE",
    "two parts": "169.16689662",
    "three parts": "169.254.43518",
    "octal first part": "0251.254.169.254",
}
_TARGETS = {
    "task credentials": "169.254.170.2",
    "link-local": "169.254.1.1",
    "private 10": "10.0.0.1",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "shared address space": "100.64.0.1",
    "public": "203.0.113.7",
    "another public": "8.8.8.8",
    "this network": "0.0.0.0",  # noqa: S104 - a target
    "loopback": "127.0.0.1",
    "another loopback": "127.1.2.3",
    "neighbour of the pool": "198.20.0.1",
}
_IPV6_TARGETS = {
    "IPv4-mapped metadata": "::ffff:169.254.169.254",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "NAT64 metadata": "64:ff9b::a9fe:a9fe",
    "6to4 metadata": "2002:a9fe:a9fe::1",
    "Nitro metadata": "fd00:ec2::254",
    "unique local": "fd00::1",
    "public": "2001:db8::7",
    "loopback": "::1",
}
_NOTATIONS = [_reach(f"metadata, {kind}", f"{text!r}, 80") for kind, text in _METADATA.items()]
_STREAMS = [_reach(f"stream to {kind}", f"{address!r}, 443") for kind, address in _TARGETS.items()]
_DATAGRAMS = [
    _reach(f"datagram to {kind}", f"{address!r}, 443, SOCK_DGRAM")
    for kind, address in _TARGETS.items()
    if kind != "this network"
]
_IPV6 = [
    _reach(f"IPv6 {word} to {kind}", f"{address!r}, 443, {sort}, AF_INET6")
    for kind, address in _IPV6_TARGETS.items()
    for word, sort in (("stream", "SOCK_STREAM"), ("datagram", "SOCK_DGRAM"))
]
_SERVICES = [
    _reach("the engine's socket", f"'127.0.0.1', {ENGINE_PORT}"),
    _reach("the engine's socket by IPv6", f"'::1', {ENGINE_PORT}, SOCK_STREAM, AF_INET6"),
    _reach("a public name server", "'8.8.8.8', 53, SOCK_DGRAM"),
    _reach("a public name server by TCP", "'8.8.8.8', 53"),
    _reach("a QUIC packet", "'203.0.113.7', 443, SOCK_DGRAM, data=b'\\xc0' + bytes(1199)"),
    Try(
        "the host's abstract socket",
        "namespace",
        "with socket(AF_UNIX) as s:\n    tried(s.connect, '\\0world')\n    if tried(s.recv, 10): print('ESCAPED')",
    ),
]
_SENDS = [
    Try(
        f"{kind} to {address}",
        "namespace",
        f"with socket(AF_INET, {sort}) as s:\n    s.settimeout(TIMEOUT)\n    tried({call})\n"
        "    if tried(s.recv, 10): print('ESCAPED')",
    )
    for address in ("169.254.169.254", "10.0.0.1")
    for kind, sort, call in (
        ("a datagram without connect", "SOCK_DGRAM", f"s.sendto, b'x', ({address!r}, 443)"),
        ("TCP Fast Open", "SOCK_STREAM", f"s.sendto, b'x', 0x20000000, ({address!r}, 443)"),
        (
            "a datagram with a source of its own",
            "SOCK_DGRAM",
            f"s.sendmsg, [b'x'], [(0, 8, struct.pack('I4s4x', 1, inet_aton({address!r})))], 0, ({address!r}, 443)",
        ),
    )
]
_SOURCES = [
    _reach("an address of the host as source", "'203.0.113.7', 443, bind=('10.0.0.1', 0)"),
    _reach("IP_FREEBIND", "'203.0.113.7', 443, options={(IPPROTO_IP, 15): 1}, bind=('203.0.113.9', 0)"),
    _reach("SO_BINDTODEVICE", "'203.0.113.7', 443, options={(SOL_SOCKET, 25): b'lo'}"),
    _reach("SO_BINDTODEVICE, datagram", "'203.0.113.7', 443, SOCK_DGRAM, options={(SOL_SOCKET, 25): b'lo'}"),
    _reach("SO_DONTROUTE", "'203.0.113.7', 443, options={(SOL_SOCKET, SO_DONTROUTE): 1}"),
    _reach("IP_UNICAST_IF", "'203.0.113.7', 443, SOCK_DGRAM, options={(IPPROTO_IP, 50): struct.pack('!I', 1)}"),
]


def _pool(name: str, call: str) -> Try:
    return Try(name, "pool_address", f"tried(reach, {call})")


_POOL = [
    _pool("another address of the pool", f"'198.18.0.2', {PORT}"),
    _pool("an address of a wildcard's names", f"'198.19.0.1', {PORT}"),
    _pool("the last address of the pool", f"'198.19.255.254', {PORT}"),
    _pool("an address of the pool, mapped to IPv6", f"'::ffff:198.18.0.2', {PORT}, SOCK_STREAM, AF_INET6"),
    _pool("the allowed port on the loopback", f"'127.0.0.1', {PORT}"),
    _pool("the allowed port of the name server", f"'127.0.0.53', {PORT}"),
    _pool("the allowed port of any address", f"'0.0.0.0', {PORT}"),
    _reach("another port of the name", f"{ADDRESS!r}, 443"),
    _reach("the name by UDP", f"{ADDRESS!r}, 443, SOCK_DGRAM"),
]


def _neighbour(name: str, code: str) -> Try:
    return Try(name, "own_namespace", code)


_NEIGHBOURS = [
    _neighbour("a server of another run", f"tried(reach, '127.0.0.1', {NEIGHBOURS_PORT})"),
    _neighbour("a host of another run", f"tried(reach, '198.18.0.2', {NEIGHBOURS_PORT})"),
    _neighbour("an IPv6 server of another run", f"tried(reach, '::1', {NEIGHBOURS_PORT}, SOCK_STREAM, AF_INET6)"),
    _neighbour("a datagram to another run", f"tried(reach, '127.0.0.1', {NEIGHBOURS_PORT}, SOCK_DGRAM)"),
    _neighbour(
        "an abstract socket of another run",
        "with socket(AF_UNIX) as s:\n    tried(s.connect, '\\0neighbour')\n    if tried(s.recv, 10): print('ESCAPED')",
    ),
    _neighbour(
        "sockets of another run in /proc",
        f"if ':{NEIGHBOURS_PORT:04X} ' in open('/proc/self/net/tcp').read(): print('ESCAPED')",
    ),
]


def _option(name: str, control: str, family: str, level: str, option: str, value: str = "1") -> Try:
    code = f"s = tried(socket, {family})\nif s: s.setsockopt({level}, {option}, {value}); print('ESCAPED')"
    return Try(name, control, f"def attempt():\n    {code.replace(chr(10), chr(10) + '    ')}\ntried(attempt)")


_OPTIONS = [
    _option("IP_TRANSPARENT", "owner", "AF_INET, SOCK_STREAM", "IPPROTO_IP", "19"),
    _option("IPV6_TRANSPARENT", "owner", "AF_INET6, SOCK_STREAM", "IPPROTO_IPV6", "75"),
    _option("TCP_REPAIR", "owner", "AF_INET, SOCK_STREAM", "IPPROTO_TCP", "19"),
    _option("SO_PRIORITY", "owner", "AF_INET, SOCK_STREAM", "SOL_SOCKET", "SO_PRIORITY", "7"),
    _option("SO_MARK", "owner and seccomp", "AF_INET, SOCK_STREAM", "SOL_SOCKET", "36"),
    _option("SO_ATTACH_FILTER", "seccomp", "AF_INET, SOCK_DGRAM", "SOL_SOCKET", "26", "filter_of_one()"),
]


def _socket(name: str, control: str, arguments: str) -> Try:
    return Try(name, control, f"if tried(socket, {arguments}): print('ESCAPED')")


_SOCKETS = [
    _socket("a raw socket", "owner and seccomp", "AF_INET, SOCK_RAW, IPPROTO_RAW"),
    _socket("a raw socket of TCP", "owner and seccomp", "AF_INET, SOCK_RAW, IPPROTO_TCP"),
    _socket("ICMP", "owner and seccomp", "AF_INET, SOCK_RAW, IPPROTO_ICMP"),
    _socket("ICMPv6", "owner and seccomp", "AF_INET6, SOCK_RAW, IPPROTO_ICMPV6"),
    _socket("a packet socket", "owner and seccomp", "AF_PACKET, SOCK_RAW, 0x300"),
    _socket("a packet socket of datagrams", "owner and seccomp", "AF_PACKET, SOCK_DGRAM, 0x300"),
    _socket("UDP-Lite", "seccomp", "AF_INET, SOCK_DGRAM, 136"),
    _socket("Multipath TCP", "seccomp", "AF_INET, SOCK_STREAM, 262"),
    _socket("a netlink socket", "seccomp", "AF_NETLINK, SOCK_RAW, 0"),
    _socket("a netlink socket of the packet filter", "seccomp", "AF_NETLINK, SOCK_RAW, 12"),
    _socket("a netlink socket of socket diagnosis", "seccomp", "AF_NETLINK, SOCK_RAW, 4"),
]
# Messages of rtnetlink(7): kind, flags beside REQUEST and ACK, body.
_NETLINK = """
def netlink(kind, flags, body):
    with socket(AF_NETLINK, SOCK_RAW, 0) as s:
        s.send(struct.pack('IHHII', 16 + len(body), kind, 5 | flags, 1, 0) + body)
        if struct.unpack_from('i', s.recv(4096), 16) == (0,):
            print('ESCAPED')
def attribute(kind, value):
    return struct.pack('HH', 4 + len(value), kind) + value + bytes(-len(value) % 4)
"""


def _netlink(name: str, arguments: str) -> Try:
    return Try(name, "owner and seccomp", f"{_NETLINK}tried(netlink, {arguments})")


def _ioctl(name: str, arguments: str) -> Try:
    """Change an interface, netdevice(7)."""
    code = f"with socket(AF_INET, SOCK_DGRAM) as s:\n    if tried(fcntl.ioctl, s, {arguments}): print('ESCAPED')"
    return Try(name, "owner", code)


_CHANGES = [
    _netlink(
        "a route to everywhere",
        "24, 0x400, struct.pack('8BI', 2, 0, 0, 0, 255, 4, 254, 2, 0) + struct.pack('HHI', 8, 4, 1)",
    ),
    _netlink(
        "an address of the host", "20, 0x400, struct.pack('4BI', 2, 32, 0, 0, 1) + attribute(2, inet_aton('10.0.0.1'))"
    ),
    _netlink("lo goes down", "16, 0, struct.pack('BxHiII', 0, 0, 1, 0, 1)"),
    _netlink(
        "without the route of the pool",
        "25, 0, struct.pack('8BI', 2, 15, 0, 0, 255, 4, 254, 2, 0) + attribute(1, inet_aton('198.18.0.0'))",
    ),
    _netlink("a rule of routing", "32, 0x400, struct.pack('8BI', 2, 0, 0, 0, 255, 0, 0, 1, 0)"),
    _ioctl("the address of lo", "0x8916, struct.pack('16sHH4s8x', b'lo:1', 2, 0, inet_aton('10.0.0.1'))"),
    _ioctl("the netmask of lo", "0x891C, struct.pack('16sHH4s8x', b'lo', 2, 0, inet_aton('255.0.0.0'))"),
    _ioctl("the flags of lo", "0x8914, struct.pack('16sh14x', b'lo', 0)"),
    _ioctl("the packet size of lo", "0x8922, struct.pack('16si12x', b'lo', 1500)"),
    Try(
        "a route by ioctl",
        "owner and seccomp",
        "def address(text): return struct.pack('HH4s8x', 2, 0, inet_aton(text))\n"
        "route = struct.pack('Q', 0) + address('0.0.0.0') + address('198.18.0.1') + address('0.0.0.0')\n"
        "route += struct.pack('HhQQhQHHQ', 3, 0, 0, 0, 0, 0, 0, 0, 0)\n"
        "with socket(AF_INET, SOCK_DGRAM) as s:\n"
        "    if tried(fcntl.ioctl, s, 0x890B, route + bytes(64)): print('ESCAPED')",
    ),
    Try(
        "a share of the proxy's socket",
        "owner",
        "with socket() as s:\n    s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)\n"
        f"    if tried(s.bind, ({ADDRESS!r}, {PORT})) is None and s.getsockname()[1]: print('ESCAPED')",
    ),
    Try(
        "a share of the name server's socket",
        "owner",
        "with socket(AF_INET, SOCK_DGRAM) as s:\n    s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)\n"
        "    if tried(s.bind, ('127.0.0.53', 53)) is None and s.getsockname()[1]: print('ESCAPED')",
    ),
    Try("a low port", "owner", "if tried(create_server, ('127.0.0.1', 443)): print('ESCAPED')"),
    Try("the name server's port", "owner", "if tried(create_server, ('127.0.0.54', 53)): print('ESCAPED')"),
    Try(
        "a namespace of its own",
        "seccomp",
        "if tried(os.unshare, 0x50000000) is None and os.getuid() == 65534: print('ESCAPED')",
    ),
]
# Each fills about 200 MiB where it can. The bound is 32 MiB.
_FILL = """
def fill(pairs):
    sent = 0
    for sender in pairs:
        sender.setblocking(False)
        with contextlib.suppress(OSError):
            while sent < 200 << 20:
                sent += sender.send(bytes(60000))
    return sent
"""
_MEMORY = [
    Try(
        "buffers of TCP",
        "socket_memory",
        _FILL
        + """
server, kept = create_server(('127.0.0.1', 0), backlog=64), []
for _ in range(60):
    client = socket()
    client.setsockopt(SOL_SOCKET, SO_SNDBUF, 8 << 20)
    client.connect(server.getsockname())
    accepted = server.accept()[0]
    accepted.setsockopt(SOL_SOCKET, SO_RCVBUF, 8 << 20)
    kept += [client, accepted]
if fill(kept) > 64 << 20: print('ESCAPED')
""",
    ),
    Try(
        "buffers of UDP",
        "socket_memory",
        _FILL
        + """
kept = []
for _ in range(80):
    own = socket(AF_INET, SOCK_DGRAM)
    own.setsockopt(SOL_SOCKET, SO_RCVBUF, 4 << 20)
    own.bind(('127.0.0.1', 0))
    own.connect(own.getsockname())
    kept.append(own)
def fill_one(own):
    own.setblocking(False)
    with contextlib.suppress(OSError):
        for _ in range(50): own.send(bytes(60000))
def count(own):
    with contextlib.suppress(OSError):
        while True: yield len(own.recv(65536))
for own in kept: fill_one(own)
if sum(size for own in kept for size in count(own)) > 64 << 20: print('ESCAPED')
""",
    ),
]
# cgroup v2 counts the memory of sockets as the guest's: there is no such control.
_MEMORY_OF_SOCKETS = _MEMORY if cgroup_backend() == "cgroup_v1" else []
TRIES = (
    *_NOTATIONS,
    *_STREAMS,
    *_DATAGRAMS,
    *_IPV6,
    *_SERVICES,
    *_SENDS,
    *_SOURCES,
    *_POOL,
    *_NEIGHBOURS,
    *_OPTIONS,
    *_SOCKETS,
    *_CHANGES,
    *_MEMORY_OF_SOCKETS,
)
