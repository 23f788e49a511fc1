"""Facts of this runner that every heartbeat repeats: its languages, toolchains and isolation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from events.message import format_time
from events.runner import RunnerHeartbeat
from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.jail import HostSupport
from sandbox_runtime.languages import Language
from sandbox_runtime.liveness import Liveness
from sandbox_runtime.retry import start_background
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.worker.reports import Reports

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


# The heartbeats of a runner: one a period, and a last one without slots.


class Heartbeats:
    """Sends heartbeats until `stopping`. `busy`: counts the slots with a run. `clean_up`: called once a period."""

    def __init__(
        self,
        settings: WorkerSettings,
        slots: int,
        facts: RunnerFacts,
        reports: Reports,
        stopping: Event,
        *,
        busy: Callable[[], int],
        clean_up: Callable[[], None],
    ) -> None:
        self._settings, self._slots = settings, slots
        self._facts, self._reports = facts, reports
        self._stopping = stopping
        self._busy, self._clean_up = busy, clean_up
        self._liveness = Liveness(settings.liveness_file)
        self._liveness.begin()
        self._thread: Thread | None = None

    def start(self, quit_now: Event) -> None:
        self._thread = start_background(self._run, stop=quit_now)

    def join(self, timeout_secs: float) -> None:
        """Wait for the last heartbeat. Call it after `stopping` is set."""
        if self._thread is not None:
            self._thread.join(timeout_secs)

    def _run(self) -> None:
        while True:
            self._send()
            self._clean_up()
            if self._stopping.wait(self._settings.heartbeat_secs):
                self._send()
                return

    def _send(self) -> None:
        # Retried until the next one: so the health of the queue learns the end of an outage.
        self._reports.send_heartbeat(self._heartbeat(), self._liveness.show, self._settings.heartbeat_secs)

    def _heartbeat(self) -> RunnerHeartbeat:
        # While draining we report 0 slots: the service then does not count this runner as available.
        slots = 0 if self._stopping.is_set() else self._slots
        return self._facts.heartbeat(self._settings.node_id, slots=slots, busy=self._busy())
