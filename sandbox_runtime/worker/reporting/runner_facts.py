"""Facts of this runner that every heartbeat repeats: its languages, toolchains and isolation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from events.message import format_time
from events.runner import RunnerHeartbeat
from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.jail import HostSupport
from sandbox_runtime.languages import Language

if TYPE_CHECKING:
    from events.evidence import CgroupBackend


@dataclass(frozen=True, slots=True)
class RunnerFacts:
    """Offered languages, their toolchain versions by name, and the host's controls as probed at the start.

    `network_support`: whether it takes runs with network. `packages`: data packages, by name.
    """

    languages: Mapping[str, Language]
    toolchains: Mapping[str, str]
    support: HostSupport
    network_support: bool = False
    packages: Mapping[str, str] = MappingProxyType({})

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the runner and of each toolchain, and the isolation of this host."""
        return {
            "version": RUNNER_VERSION,
            "isolation": "strict" if self.support.is_strict else "permissive",
            **self.toolchains,
        }

    def heartbeat(self, node_id: str, *, slots: int, busy: int) -> RunnerHeartbeat:
        """Build a heartbeat with the current time."""
        return RunnerHeartbeat(
            node_id=node_id,
            runner_version=RUNNER_VERSION,
            sent_at=format_time(datetime.now(UTC)),
            slots=slots,
            slots_busy=busy,
            languages=tuple(self.languages),
            toolchains=dict(self.toolchains),
            isolation_mode="strict" if self.support.is_strict else "permissive",
            cgroup_backend=cast("CgroupBackend | None", self.support.cgroup_backend),
            namespace_support=self.support.namespace_support,
            controls=self.support.controls,
            network_support=self.network_support,
            packages=dict(self.packages) or None,
        )
