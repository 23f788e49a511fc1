"""Recorded outcomes of the jail, and a slot that gives them back, for tests of what stands above the jail."""

import os
import select
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from events.message import format_time
from events.network import AllowedHost, Network
from events.program import RequestedLimits
from events.requested import ExecutionRequested
from events.vocabulary import Profile
from sandbox_runtime import network
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import CgroupUsage, Evidence, JailSpec, Outcome, StopReason
from sandbox_runtime.network import NetworkError, NetworkEvidence, RunNetwork
from sandbox_runtime.network.model import Listener
from sandbox_runtime.network.namespace_maker import MadeNamespace
from sandbox_runtime.network.proxy.messages import Alias
from sandbox_runtime.network.relay.client import SealedSecret

CONTROLS = ("pid_namespace", "memory_limit", "seccomp")

USAGE = CgroupUsage(
    memory_limit_bytes=256 << 20,
    memory_peak_bytes=4 << 20,
    oom_events=0,
    oom_kill_events=0,
    cpu_usage_usec=9_000,
    process_count=0,
    process_limit=10,
    fork_refusals=0,
)

EVIDENCE = Evidence(
    controls_applied=CONTROLS,
    controls_missing=(),
    cgroup_backend="cgroup_v2",
    cgroup=USAGE,
    cleanup_verified=True,
    leftover_processes=0,
)

CLEAN = Outcome(
    exit_code=0,
    signal=None,
    stop_reason=StopReason.NONE,
    stdout=b"42\n",
    stderr=b"",
    stdout_cut=False,
    stderr_cut=False,
    cpu_usec=9_000,
    wall_usec=11_000,
    setup_usec=900,
    evidence=EVIDENCE,
)

NETWORK = Network((AllowedHost("api.example.com", 443),))

BROKEN = JailError("clone", "init", 11)

CANCELLED = replace(CLEAN, exit_code=None, stop_reason=StopReason.CANCELLED)


def outcome(*, usage: Any = None, evidence: Any = None, **fields: Any) -> Outcome:
    """A clean run that printed 42, with the given fields changed. An out-of-memory kill is at the run's own limit."""
    kills = {"oom_events": usage["oom_kill_events"]} if usage and "oom_kill_events" in usage else {}
    changed_usage = replace(USAGE, **{**kills, **(usage or {})})
    changed_evidence = replace(EVIDENCE, **{"cgroup": changed_usage, **(evidence or {})})
    return replace(CLEAN, evidence=changed_evidence, **fields)


def requested(language: Any = "python", **fields: Any) -> ExecutionRequested:
    """A new request."""
    request = ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="dev",
        language=language,
        profile=Profile.JUDGE,
        priority="interactive",
        code=b"print(42)\n",
        stdin=b"",
        limits=RequestedLimits(),
        requested_at=format_time(datetime.now(UTC)),
    )
    return request.changed(**fields)


class RecordedNetworks:
    """Networks of a runner that only note what was opened and closed. `problem`: none can be opened."""

    def __init__(self, evidence: NetworkEvidence | None = None, problem: NetworkError | None = None) -> None:
        self.opened: list[tuple[str, Sequence[network.AllowedHost]]] = []
        self.closed: list[str] = []
        self._evidence, self._problem = evidence or NetworkEvidence(), problem

    def open(
        self, run_id: str, hosts: Sequence[network.AllowedHost], secrets: Sequence[SealedSecret] = ()
    ) -> RunNetwork:
        if self._problem is not None:
            raise self._problem
        self.opened.append((run_id, hosts))
        self.secrets = secrets
        return RunNetwork(run_id, MadeNamespace(os.open(os.devnull, os.O_RDONLY), ()), self, None)

    def open_run(
        self,
        run_id: str,
        hosts: Sequence[network.AllowedHost],
        listeners: Sequence[Listener],
        aliases: Sequence[Alias] = (),
        handover: int | None = None,
    ) -> None:
        """As the proxy does."""

    def close_run(self, run_id: str) -> NetworkEvidence:
        self.closed.append(run_id)
        return self._evidence

    def close(self) -> None:
        """As the proxy does."""


class RecordedSlot:
    """A slot of the jail that answers with recorded outcomes in order (the last one again and again)."""

    def __init__(self, *answers: Outcome | JailError) -> None:
        self.healthy = True
        self.runs = 0
        self.is_closed = False
        self.prewarmed: list[JailSpec] = []
        self.specs: list[JailSpec] = []
        self._answers = list(answers) or [CLEAN]

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:  # noqa: ARG002 - the jail's signature
        self.specs.append(spec)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, JailError):
            self.healthy = False
            raise answer
        return answer

    def settle(self) -> None:
        """There is nothing to wait for."""

    def prewarm(self, spec: JailSpec) -> None:
        self.prewarmed.append(spec)

    def close(self) -> None:
        self.healthy = False
        self.is_closed = True


class EndlessSlot(RecordedSlot):
    """A slot whose programs run until they are cancelled; `begun` is called when one starts."""

    def __init__(self, begun: Callable[[], None]) -> None:
        super().__init__()
        self._begun = begun

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        self.specs.append(spec)
        self._begun()
        select.select([fd for fd in (cancel_fd,) if fd is not None], [], [])
        return CANCELLED
