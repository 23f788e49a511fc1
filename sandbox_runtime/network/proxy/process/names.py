"""The names of one run, and the addresses of the pool that stand for them."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address

from sandbox_runtime.network.model import FIRST_WILDCARD_ADDRESS, AllowedHost, NetworkTable, Refusal
from sandbox_runtime.network.proxy.settings import RunLimits

_MAX_NAME_CHARS = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_host_name(name: str) -> bool:
    """Whether this is a name of at least two labels, in lower case, and no address literal."""
    labels = name.split(".")
    return (
        len(name) <= _MAX_NAME_CHARS
        and len(labels) > 1
        and all(map(_LABEL.fullmatch, labels))
        and not labels[-1].isdigit()
    )


class NameTable:
    """Maps names to addresses and back. A name below a wildcard gets its address at its first look-up."""

    def __init__(self, hosts: Sequence[AllowedHost], limits: RunLimits) -> None:
        table = NetworkTable.of(hosts)
        self._limits = limits
        self._addresses = {name: address for name, _, address in table.literals}
        self._names = {address: name for name, address in self._addresses.items()}
        self._literals = {(name, port) for name, port, _ in table.literals}
        self._wildcards = {(f".{suffix}", port) for suffix, port in table.wildcards}
        self._wildcard_names = 0

    def refusal(self, name: str) -> Refusal | None:
        """Return why a name does not exist in this run; None if it does."""
        if name in self._addresses:
            return None
        suffixes = [suffix for suffix, _ in self._wildcards if name.endswith(suffix)]
        if not suffixes or not is_host_name(name):
            return Refusal.NOT_ALLOWED
        if len(name) - max(map(len, suffixes)) > self._limits.wildcard_chars:
            return Refusal.NAME_TOO_LONG
        return Refusal.TOO_MANY_NAMES if self._wildcard_names >= self._limits.wildcard_names else None

    def address_of(self, name: str) -> str:
        """Return the address of a name without a refusal."""
        if name not in self._addresses:
            address = str(IPv4Address(FIRST_WILDCARD_ADDRESS) + self._wildcard_names)
            self._wildcard_names += 1
            self._addresses[name], self._names[address] = address, name
        return self._addresses[name]

    def name_of(self, address: str) -> str | None:
        """Return the name that an address stands for."""
        return self._names.get(address)

    def allows(self, name: str, port: int) -> bool:
        """Whether the run may connect to this port of a name of its table."""
        if (name, port) in self._literals:
            return True
        return any(port == allowed and name.endswith(suffix) for suffix, allowed in self._wildcards)
