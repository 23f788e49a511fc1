"""Which addresses the proxy may connect to: global unicast ones that are not the host's own.

The table is that of webhooks (functions/webhooks/target/webhook_url.py): tests/contract/public_addresses.json has both.
"""

import errno
import ipaddress
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

# `ipaddress.is_global` is not enough: it accepts multicast, NAT64, 6to4 and more.
_REFUSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_ALLOWED_V6: Final = ipaddress.IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)

# Numbers of rtnetlink, section 7 of the manual.
_NETLINK_ROUTE, _RTM_NEWROUTE, _RTM_GETROUTE, _NLM_F_REQUEST, _NLMSG_ERROR = 0, 24, 26, 1, 2
_RTA_DST, _RTN_UNICAST = 1, 1
_HEADER, _ROUTE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBBBBBI"), struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_TYPE_OFFSET = _HEADER.size + 7
# A connect fails with the same errors. The last two: the host has no IPv6.
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.EAFNOSUPPORT}


def is_public(address: str) -> bool:
    """Whether this is a global unicast address. A text that is no address is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    if parsed.scope_id is not None or parsed not in _ALLOWED_V6:  # mapped, NAT64, site-local: outside 2000::/3
        return False
    return not any(parsed in network for network in _REFUSED_V6)


class Routes:
    """Asks the kernel for the kind of an address in the routing tables of the host."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        self._socket.bind((0, 0))

    def is_elsewhere(self, address: str) -> bool:
        """Whether the address is of another host: neither of an interface of this one, nor a broadcast address.

        An address without a route is, too: connecting to it fails.
        """
        parsed = ipaddress.ip_address(address)
        self._socket.send(_route_request(parsed))
        answer = self._socket.recv(4_096)
        kind = _HEADER.unpack_from(answer)[1]
        if kind == _NLMSG_ERROR:
            return -_ERROR.unpack_from(answer, _HEADER.size)[0] in _NO_ROUTE
        return kind == _RTM_NEWROUTE and answer[_TYPE_OFFSET] == _RTN_UNICAST


def _route_request(address: IPv4Address | IPv6Address) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - versions of IP
    route = _ROUTE.pack(family, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(address.packed), _RTA_DST) + address.packed
    length = _HEADER.size + len(route) + len(attribute)
    return _HEADER.pack(length, _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + route + attribute
