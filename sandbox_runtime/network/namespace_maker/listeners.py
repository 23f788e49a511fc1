"""The listening sockets in a run's namespace: for each literal name, for each port of a wildcard, and for DNS."""

import socket

from sandbox_runtime.network.model import DNS_PORT, NAME_SERVER, ListenerKind, NetworkTable

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
