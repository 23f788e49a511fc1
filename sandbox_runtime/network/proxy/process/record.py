"""What the evidence of one run will say. Its size is bounded, whatever the program does."""

from dataclasses import dataclass

from sandbox_runtime.network.model import (
    MAX_ENTRIES,
    Failure,
    HostConnections,
    NetworkEvidence,
    Refusal,
    RefusedHost,
)
from sandbox_runtime.network.proxy.settings import ByteCounts

_MAX_NAME_CHARS = 253


@dataclass(slots=True)
class HostRecord:
    """Connections to one port of one name."""

    address: str | None = None
    connections: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    first_error: Failure | None = None

    @property
    def has_bytes(self) -> bool:
        return self.bytes_sent + self.bytes_received > 0

    def fail(self, failure: Failure) -> None:
        if self.first_error is None:
            self.first_error = failure


class Record:
    """Counts of one run. `bytes_sent` and `bytes_received` count all connections, from the program's side.

    `byte_counts`: where they outlast this process.
    """

    def __init__(self, byte_counts: ByteCounts | None = None) -> None:
        self.bytes_sent = self.bytes_received = 0
        self._byte_counts = byte_counts
        self._hosts: dict[tuple[str, int], HostRecord] = {}
        self._refused: dict[tuple[str | None, str | None, int | None, Refusal], int] = {}
        self.error = self.cause = ""

    def add_bytes(self, *, sent: int = 0, received: int = 0) -> None:
        """Count bytes of a connection."""
        self.bytes_sent += sent
        self.bytes_received += received
        if self._byte_counts is not None:
            self._byte_counts.write(self.bytes_sent, self.bytes_received)

    def close(self) -> None:
        """Write no more. The counts stay."""
        if self._byte_counts is not None:
            self._byte_counts.close()
            self._byte_counts = None

    def host(self, name: str, port: int) -> HostRecord:
        """Return the record of a name and port. A run has no more of them than connections."""
        return self._hosts.setdefault((name, port), HostRecord())

    def refuse(
        self, reason: Refusal, *, name: str | None = None, address: str | None = None, port: int | None = None
    ) -> None:
        """Count a refused name or address. Past the most entries, new ones are not counted."""
        key = (None if name is None else _shown(name), address, port, reason)
        if key in self._refused or len(self._refused) < MAX_ENTRIES:
            self._refused[key] = self._refused.get(key, 0) + 1

    def evidence(self) -> NetworkEvidence:
        """Return all counts. Of too many hosts, those with bytes stay, then failed ones, of which one always does."""
        hosts = list(self._hosts.items())
        if len(hosts) > MAX_ENTRIES:
            hosts.sort(key=lambda entry: (not entry[1].has_bytes, entry[1].first_error is None))
            # A check must not pass because the failed connection has no place.
            failed = next((place for place, (_, host) in enumerate(hosts) if host.first_error is not None), 0)
            if failed >= MAX_ENTRIES:
                hosts.insert(0, hosts.pop(failed))
        return NetworkEvidence(
            connections=tuple(
                HostConnections(
                    name,
                    port,
                    host.address,
                    host.connections,
                    host.bytes_sent,
                    host.bytes_received,
                    host.first_error,
                )
                for (name, port), host in hosts[:MAX_ENTRIES]
            ),
            left_out=max(0, len(hosts) - MAX_ENTRIES),
            refused=tuple(
                RefusedHost(name, address, port, times, reason)
                for (name, address, port, reason), times in self._refused.items()
            ),
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
            error=self.error,
            cause=self.cause,
        )


def _shown(name: str) -> str:
    """Return a name that a program chose, as printable ASCII of bounded length."""
    return "".join(char if "!" <= char <= "~" else "?" for char in name[:_MAX_NAME_CHARS]) or "."
