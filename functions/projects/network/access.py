"""The network of a project: which hosts its runs may name in a request."""

from dataclasses import dataclass
from enum import StrEnum

from functions.messages.network import Network, allowed_host

DEFAULT_MB_PER_DAY = 1_024


class NetworkAccess(StrEnum):
    """The hosts that requests of a project may name: no host, those below its patterns, or any public one."""

    NONE = "none"
    LISTED = "listed"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class ProjectNetwork:
    """`allow`: with `listed`, the patterns `name:port`. `mb_per_day`: MiB in both directions, of all runs of a day."""

    access: NetworkAccess = NetworkAccess.NONE
    allow: tuple[str, ...] = ()
    mb_per_day: int = DEFAULT_MB_PER_DAY

    def missing(self, network: Network) -> tuple[str, ...]:
        """Return the entries of a request that the project may not name."""
        if self.access is NetworkAccess.PUBLIC:
            return ()
        patterns = [allowed_host(entry) for entry in self.allow] if self.access is NetworkAccess.LISTED else []
        return tuple(str(host) for host in network.allow if not any(pattern.covers(host) for pattern in patterns))


NO_NETWORK = ProjectNetwork()
"""Of a new project."""
