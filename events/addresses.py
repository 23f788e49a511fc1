"""Which addresses are public: webhooks and programs with network reach no others (docs/webhooks.md)."""

import ipaddress
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


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
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
