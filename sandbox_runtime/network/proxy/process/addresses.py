"""Whether an address is of another host, by the routing tables of this one."""

import errno
import ipaddress
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

# Numbers of rtnetlink, section 7 of the manual.
_NETLINK_ROUTE, _RTM_NEWROUTE, _RTM_GETROUTE, _NLM_F_REQUEST, _NLMSG_ERROR = 0, 24, 26, 1, 2
_RTA_DST, _RTN_UNICAST = 1, 1
_HEADER, _ROUTE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBBBBBI"), struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_TYPE_OFFSET = _HEADER.size + 7
# A connect fails with the same errors. The last two: the host has no IPv6.
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EOPNOTSUPP, errno.EAFNOSUPPORT}


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
