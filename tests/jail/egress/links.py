"""Net namespaces for tests, with pairs of interfaces, addresses and routes: rtnetlink, section 7 of the manual."""

import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_interface, ip_network

_REQUEST, _ACK, _CREATE = 0x1, 0x4, 0x400
_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 20, 24
_LINK_NAME, _LINK_INFO, _LINK_NAMESPACE, _INFO_KIND, _INFO_DATA, _PEER = 3, 18, 28, 1, 2, 1
_ADDRESS, _LOCAL_ADDRESS, _DESTINATION, _OUT_INTERFACE, _GATEWAY = 1, 2, 1, 4, 5
_WITHOUT_DAD = 0x02
_MAIN, _LOCAL_TABLE, _STATIC, _UNICAST, _LOCAL, _UNREACHABLE = 254, 255, 4, 1, 2, 7


def new_namespace() -> int:
    """Make a net namespace with its loopback up. Returns its descriptor: it lives as long as that is open."""
    with _back():
        os.unshare(os.CLONE_NEWNET)
        raise_interface("lo")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Let this thread make sockets and start processes in a namespace."""
    with _back():
        os.setns(namespace, os.CLONE_NEWNET)
        yield


@contextmanager
def _back() -> Iterator[None]:
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.setns(own, os.CLONE_NEWNET)
        os.close(own)


def raise_interface(name: str) -> None:
    """Bring an interface up."""
    set_interface_flags, up = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        fcntl.ioctl(endpoint, set_interface_flags, struct.pack("16sH14x", name.encode(), up))


def add_pair(name: str, peer: str, peer_namespace: int) -> None:
    """Make a pair of interfaces: one here, one in the other namespace."""
    header = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    there = header + _attribute(_LINK_NAME, peer.encode() + b"\0")
    there += _attribute(_LINK_NAMESPACE, struct.pack("=i", peer_namespace))
    info = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA, _attribute(_PEER, there))
    _ask(_NEW_LINK, header + _attribute(_LINK_NAME, name.encode() + b"\0") + _attribute(_LINK_INFO, info))


def add_address(name: str, text: str) -> None:
    """Give an interface an address, such as 10.0.0.1/24."""
    interface = ip_interface(text)
    header = struct.pack(
        "=BBBBI",
        _family(interface.version),
        interface.network.prefixlen,
        _WITHOUT_DAD if interface.version == 6 else 0,
        0,
        socket.if_nametoindex(name),
    )
    packed = interface.ip.packed
    _ask(_NEW_ADDRESS, header + _attribute(_LOCAL_ADDRESS, packed) + _attribute(_ADDRESS, packed))


def add_gateway(gateway: str) -> None:
    """Send all packets to other hosts to this one."""
    packed = ip_interface(gateway).ip.packed
    header = struct.pack("=8BI", _family(4 if len(packed) == 4 else 6), 0, 0, 0, _MAIN, _STATIC, 0, _UNICAST, 0)
    _ask(_NEW_ROUTE, header + _attribute(_GATEWAY, packed))


def make_local(network: str) -> None:
    """Make all addresses of a network this namespace's own: `local 198.18.0.0/15 dev lo`."""
    loopback = _attribute(_OUT_INTERFACE, struct.pack("=I", socket.if_nametoindex("lo")))
    scope_host = 254
    _add_route(network, _LOCAL_TABLE, scope_host, _LOCAL, loopback)


def make_unreachable(network: str) -> None:
    """Let connects to a network fail at once."""
    _add_route(network, _MAIN, 0, _UNREACHABLE, b"")


def _add_route(network: str, table: int, scope: int, kind: int, attributes: bytes) -> None:
    parsed = ip_network(network)
    header = struct.pack("=8BI", _family(parsed.version), parsed.prefixlen, 0, 0, table, _STATIC, scope, kind, 0)
    _ask(_NEW_ROUTE, header + _attribute(_DESTINATION, parsed.network_address.packed) + attributes)


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _ask(kind: int, body: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST | _ACK | _CREATE, 1, 0) + body)
        (error,) = struct.unpack_from("=i", kernel.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error))
