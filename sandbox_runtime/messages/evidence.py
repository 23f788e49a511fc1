"""The evidence of one execution: measurements, and the controls that were in force."""

from dataclasses import dataclass
from typing import Annotated

from events.vocabulary import Actor, Cause, Divergence
from sandbox_runtime.messages.network import ConnectionList, RefusedList
from sandbox_runtime.messages.rules import Amount, CgroupBackend, Count, IsolationMode, one_of

CAUSE = one_of(*Cause)
ACTOR = one_of(*Actor)
DIVERGENCE = one_of(*Divergence)
REAP_STATUS = one_of("clean", "unclean")


@dataclass(frozen=True, slots=True)
class CgroupEvidence:
    """Counters of the run's groups."""

    memory_limit_bytes: Count
    memory_peak_bytes: Count
    oom_events: Count
    oom_kill_events: Count
    cpu_usage_usec: Count
    process_count: Count
    process_limit: Count


@dataclass(frozen=True, slots=True)
class TimingEvidence:
    """CPU time and wall time."""

    cpu_ms: Amount
    wall_ms: Amount
    cpu_wall_ratio: Amount
    divergence: Annotated[str, DIVERGENCE]


@dataclass(frozen=True, slots=True)
class ProcessLifecycle:
    """Whether all processes of the run were reaped."""

    reap_status: Annotated[str, REAP_STATUS]
    descendant_containment: Annotated[str, one_of("ok", "breached")]
    zombie_count: Count


@dataclass(frozen=True, slots=True)
class Isolation:
    """Controls that took effect in this run, and those that did not."""

    mode: IsolationMode
    controls_applied: tuple[str, ...]
    controls_missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LimitEvidence:
    """The cgroup version that enforced the limits, and its counters."""

    cgroup_backend: CgroupBackend | None
    cgroup: CgroupEvidence | None


@dataclass(frozen=True, slots=True)
class Teardown:
    """Whether the run left processes behind."""

    reap_status: Annotated[str, REAP_STATUS]
    zombie_count: Count
    cleanup_verified: bool


@dataclass(frozen=True, slots=True)
class ExecutionEvidence:
    """The whole evidence. Some facts appear twice, because published clients read them in either place.

    `network`, `refused` and `network_bytes`: of a run with network; else None. `network_bytes`: of all connections, in
    both directions, also of those that the list leaves out.
    """

    verdict_cause: Annotated[str, CAUSE]
    verdict_actor: Annotated[str, ACTOR]
    isolation_mode: IsolationMode
    controls_applied: tuple[str, ...]
    controls_missing: tuple[str, ...]
    cgroup: CgroupEvidence | None
    timing: TimingEvidence
    process_lifecycle: ProcessLifecycle
    judge_actions: tuple[str, ...]
    collection_errors: tuple[str, ...]
    isolation: Isolation
    limits: LimitEvidence
    teardown: Teardown
    network: ConnectionList | None = None
    refused: RefusedList | None = None
    network_bytes: Count | None = None
