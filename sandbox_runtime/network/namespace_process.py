"""The maker's process: for each order a child makes a namespace, opens sockets in it, hands all over, and exits.

The child of the next order waits in a finished namespace, so an order only takes the time to open its sockets.
"""

import errno
import fcntl
import json
import os
import signal
import socket
import struct
from ipaddress import IPv4Network
from typing import NoReturn

from sandbox_runtime.jail import syscalls
from sandbox_runtime.network.model import DNS_PORT, NAME_SERVER, POOL, ListenerKind, NetworkTable

# Set up the interface `lo` of a new net namespace: raise it, and make all addresses of the pool its own.
#
# Call it in the namespace, with CAP_NET_ADMIN there.

_LO = b"lo"
_LO_INDEX = 1  # the kernel makes it first in each namespace
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_INTERFACE_FLAGS = struct.Struct("16sh14x")  # netdevice(7)

# See rtnetlink(7) and netlink(7).
_HEADER = struct.Struct("IHHII")
_ROUTE = struct.Struct("8BI")
_ATTRIBUTE = struct.Struct("HH4s")
_ERROR = struct.Struct("i")
_RTM_NEWROUTE, _NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE = 24, 1, 4, 0x400
_NLMSG_ERROR = 2
_TABLE_LOCAL, _PROTOCOL_STATIC, _SCOPE_HOST, _TYPE_LOCAL = 255, 4, 254, 2
_RTA_DST, _RTA_OIF = 1, 4
_ANSWER_BYTES = 4096


def raise_lo() -> None:
    """Bring `lo` up. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _INTERFACE_FLAGS.pack(_LO, _IFF_UP))


def make_local(network: IPv4Network) -> None:
    """Add the route `local <network> dev lo`: programs may connect to each of its addresses. Raises OSError."""
    body = (
        _ROUTE.pack(
            socket.AF_INET, network.prefixlen, 0, 0, _TABLE_LOCAL, _PROTOCOL_STATIC, _SCOPE_HOST, _TYPE_LOCAL, 0
        )
        + _ATTRIBUTE.pack(_ATTRIBUTE.size, _RTA_DST, network.network_address.packed)
        + _ATTRIBUTE.pack(_ATTRIBUTE.size, _RTA_OIF, struct.pack("I", _LO_INDEX))
    )
    flags = _NLM_F_REQUEST | _NLM_F_ACK | _NLM_F_CREATE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(_HEADER.pack(_HEADER.size + len(body), _RTM_NEWROUTE, flags, 1, 0) + body)
        answer = netlink.recv(_ANSWER_BYTES)
    _, kind, *_ = _HEADER.unpack_from(answer)
    (error,) = _ERROR.unpack_from(answer, _HEADER.size)
    if kind != _NLMSG_ERROR or error:
        raise OSError(-error or errno.EPROTO, os.strerror(-error or errno.EPROTO))


# The listening sockets in a run's namespace: for each literal name, for each port of a wildcard, and for DNS.

# Connections that the kernel accepts before the proxy does. The proxy is quick, and refuses the 257th of a run.
_BACKLOG = 32
# The kernel doubles both. cgroup v1 charges the memory of sockets to nobody, so the proxy's ends get a fixed size.
_BUFFER_BYTES = 64 << 10
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - in a namespace of its own, where nobody else is

Order = tuple[ListenerKind, str, int]
"""What to open: kind, address and port."""


def orders(table: NetworkTable) -> tuple[Order, ...]:
    """List the sockets that a run needs. The first two are for DNS."""
    wildcard_ports = dict.fromkeys(port for _, port in table.wildcards)
    return (
        ("dns_udp", NAME_SERVER, DNS_PORT),
        ("dns_tcp", NAME_SERVER, DNS_PORT),
        *(("literal", address, port) for _, port, address in table.literals),
        *(("wildcard", _ANY_ADDRESS, port) for port in wildcard_ports),
    )


def open_listener(order: Order) -> socket.socket:
    """Open one socket in the caller's namespace. Raises OSError."""
    kind, address, port = order
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "dns_udp" else socket.SOCK_STREAM)
    try:
        # A literal name may have the port of a wildcard. The kernel chooses the socket with the address. A guest cannot
        # join in: all sockets of such a group have the same user.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Connections inherit both.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        opened.bind((address, port))
        if kind != "dns_udp":
            opened.listen(_BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


ORDER_BYTES = 1 << 14
MOST_DESCRIPTORS = 64
_CAP_SYS_ADMIN = 21  # on some hosts unshare(2) of a user namespace needs it


def main(channel_fd: int) -> None:
    """Serve orders until the runner closes its end or dies."""
    channel = socket.socket(fileno=channel_fd)
    syscalls.drop_bounding_set()  # before the capability that it needs is gone
    syscalls.keep_capabilities((_CAP_SYS_ADMIN,))
    syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
    maker = os.getpid()
    while True:
        pid = os.fork()
        if pid == 0:
            _serve_order(channel, maker)
        _, status = os.waitpid(pid, 0)
        if status != 0:  # the end of file, or an order without an answer: our end tells the runner
            return


def _serve_order(channel: socket.socket, maker: int) -> NoReturn:
    """Make the namespace, wait for the order, answer it. Never returns. Ends with its parent, the maker."""
    exit_code = 1
    try:
        # Order: only behind the prctl can a parent that is gone already be noticed without a gap.
        syscalls.prctl("set parent death signal", syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        problem, step = _make_namespace()
        order = channel.recv(ORDER_BYTES) if os.getppid() == maker else b""
        if order:
            _answer(channel, order, problem, step)
            exit_code = 0
    finally:
        os._exit(exit_code)


def _make_namespace() -> tuple[OSError | None, str]:
    step = "unshare namespaces"
    try:
        # In one call: so the user namespace owns the net namespace.
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
        step = "raise lo"
        raise_lo()
        step = "add the route"
        make_local(POOL)
    except OSError as error:
        return error, step
    return None, step


def _answer(channel: socket.socket, order: bytes, problem: OSError | None, step: str) -> None:
    opened: list[socket.socket] = []
    try:
        if problem is not None:
            raise problem
        step = "open listeners"
        opened += [open_listener((kind, address, port)) for kind, address, port in json.loads(order)]
        step = "hand the namespace over"
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        socket.send_fds(channel, [b"{}"], [namespace, *(each.fileno() for each in opened)])
    except OSError as error:
        channel.send(json.dumps({"step": step, "errno": error.errno or 0}).encode())
