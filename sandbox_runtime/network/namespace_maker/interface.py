"""Set up the interface `lo` of a new net namespace: raise it, and make all addresses of the pool its own.

Call it in the namespace, with CAP_NET_ADMIN there.
"""

import errno
import fcntl
import os
import socket
import struct
from ipaddress import IPv4Network

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
