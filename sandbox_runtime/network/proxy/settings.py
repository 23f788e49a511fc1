"""Settings of the egress proxy, read from named environment variables of the runner."""

import mmap
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from sandbox_runtime.settings import MAX_SLOTS, SettingsInvalidError, boolean, integer

# The bytes of one run, in memory that the egress proxy writes: the runner reads them although the process has died.
#
# The runner reads with pread(2), never through a mapping: a hostile process might shorten the memory under it.

_COUNTS = struct.Struct("=QQ")
_MOST = 1 << 53


def new_memory() -> int:
    """Return the descriptor of new memory for the bytes of a run. The caller closes it. Raises OSError."""
    fd = os.memfd_create("rustbox-bytes", os.MFD_CLOEXEC)
    try:
        os.ftruncate(fd, _COUNTS.size)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_counts(fd: int) -> tuple[int, int]:
    """Return the bytes sent and received so far; 0 if they cannot be read."""
    try:
        sent, received = _COUNTS.unpack(os.pread(fd, _COUNTS.size, 0))
    except (OSError, struct.error):
        return 0, 0
    return min(sent, _MOST), min(received, _MOST)


class ByteCounts:
    """The proxy's side. `fd` may be closed afterwards. Raises OSError."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, _COUNTS.size)

    def write(self, sent: int, received: int) -> None:
        _COUNTS.pack_into(self._memory, 0, sent, received)

    def close(self) -> None:
        self._memory.close()


HOST_NAME = "host.rustbox.internal"
"""The name of the host's loopback in development."""

_LOCAL_STAGE = "local"
_DNS_PORT = 53
_MAX_RESOLVERS = 3


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Limits of one run. `connect_secs`: from the program's connect to the target's, with the look-up of its name.

    `wildcard_names`: distinct names below wildcards. `wildcard_chars`: of such a name, in front of the suffix.
    `queries`: name look-ups of the program. `cpu_secs`: of the proxy, for this run; the most bytes take some 0.3 s.
    """

    open_connections: int = 24
    connections: int = 256
    bytes_each_way: int = 64 << 20
    connect_secs: float = 10
    idle_secs: float = 60
    queries: int = 2_048
    wildcard_names: int = 64
    wildcard_chars: int = 100
    cpu_secs: float = 5


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """`resolvers`: address and port of name servers; empty: those of /etc/resolv.conf.

    `allows_host`: HOST_NAME is the host's loopback, except the ports `refused_host_ports`. For development only.
    `runs`: the most at once. The memory of the process is enough for so many, whatever their programs do.
    """

    resolvers: tuple[tuple[str, int], ...] = ()
    allows_host: bool = False
    refused_host_ports: tuple[int, ...] = ()
    limits: RunLimits = field(default_factory=RunLimits)
    runs: int = MAX_SLOTS


def proxy_settings(environment: Mapping[str, str] | None = None) -> ProxySettings:
    """Read the settings. Raises SettingsInvalidError."""
    env = os.environ if environment is None else environment
    default = RunLimits()
    allows_host = boolean(env, "NETWORK_HOST_ALLOWED")
    if allows_host and env.get("STAGE") != _LOCAL_STAGE:
        problem = f"is for development: only a runner with STAGE={_LOCAL_STAGE} may let programs reach its loopback"
        raise SettingsInvalidError("NETWORK_HOST_ALLOWED", problem)
    return ProxySettings(
        resolvers=tuple(map(_resolver, _words(env, "NETWORK_RESOLVERS")))[:_MAX_RESOLVERS],
        allows_host=allows_host,
        refused_host_ports=tuple(map(_port, _words(env, "NETWORK_HOST_REFUSED_PORTS"))),
        limits=RunLimits(
            open_connections=integer(env, "NETWORK_OPEN_CONNECTIONS", default.open_connections, 1, 64),
            connections=integer(env, "NETWORK_CONNECTIONS", default.connections, 1, 4_096),
            bytes_each_way=integer(env, "NETWORK_MB_EACH_WAY", default.bytes_each_way >> 20, 1, 1_024) << 20,
            connect_secs=integer(env, "NETWORK_CONNECT_SECS", int(default.connect_secs), 1, 60),
            idle_secs=integer(env, "NETWORK_IDLE_SECS", int(default.idle_secs), 1, 600),
        ),
    )


def _words(env: Mapping[str, str], variable: str) -> list[str]:
    return [word.strip() for word in env.get(variable, "").split(",") if word.strip()]


def _resolver(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":") if text.count(":") == 1 or text.startswith("[") else (text, "", "")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port) if colon else _DNS_PORT
    except ValueError:
        number = 0
    if not 0 < number < 65_536:  # noqa: PLR2004 - ports
        raise SettingsInvalidError("NETWORK_RESOLVERS", "must be addresses such as 10.0.0.2 or 127.0.0.1:5353")
    return str(address), number


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):  # noqa: PLR2004 - ports
        raise SettingsInvalidError("NETWORK_HOST_REFUSED_PORTS", "must be ports separated by commas")
    return int(text)
