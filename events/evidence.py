"""Shapes of `metrics` and `evidence`: a runner's measurements, as clients see them.

A runner runs hostile code, so the functions check its messages before they store anything.
"""

from typing import Literal

from events.message import Count, Measure, Names, PositiveCount, Shape
from events.network import ConnectionList, RefusedList, SecretUseList
from events.vocabulary import Actor, Cause, Divergence

IsolationMode = Literal["strict", "permissive"]
CgroupBackend = Literal["cgroup_v1", "cgroup_v2"]


class Metrics(Shape, frozen=True):
    """Times and memory of one run; null for a step that did not run."""

    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count
    cpu_wall_ratio: Measure
    divergence: Divergence
    queue_ms: Measure | None
    setup_ms: Measure | None
    compile_ms: Measure | None
    run_ms: Measure | None
    compile_cached: bool | None


class CgroupCounters(Shape, frozen=True):
    """Counters of the run's control groups."""

    memory_limit_bytes: Count
    memory_peak_bytes: Count
    oom_events: Count
    oom_kill_events: Count
    cpu_usage_usec: Count
    process_count: Count
    process_limit: Count


class Timing(Shape, frozen=True):
    """CPU against wall time."""

    cpu_ms: Measure
    wall_ms: Measure
    cpu_wall_ratio: Measure
    divergence: Divergence


class ProcessLifecycle(Shape, frozen=True):
    """Processes that remained when the run ended."""

    reap_status: Literal["clean", "unclean"]
    descendant_containment: Literal["ok", "breached"]
    zombie_count: Count


class Isolation(Shape, frozen=True):
    """Controls in force in this run, and missing controls."""

    mode: IsolationMode
    controls_applied: Names
    controls_missing: Names


class LimitsEvidence(Shape, frozen=True):
    """Which control-group interface enforced the limits."""

    cgroup_backend: CgroupBackend | None
    cgroup: CgroupCounters | None


class Teardown(Shape, frozen=True):
    """The check that nothing of the jail remained."""

    reap_status: Literal["clean", "unclean"]
    zombie_count: Count
    cleanup_verified: bool


class Evidence(Shape, frozen=True):
    """The measurements of one run, in the shapes of schema 1.0 and 2.0.

    `network`: the connections of a run with network. `refused`: targets that it tried and may not reach.
    `network_left_out`: hosts and ports beyond the 64 of `network`; None without any.
    `network_bytes`: of all its connections in both directions, also of those that the list leaves out.
    `secrets`: what the run did with each of its secrets.
    """

    verdict_cause: Cause
    verdict_actor: Actor
    isolation_mode: IsolationMode
    controls_applied: Names
    controls_missing: Names
    cgroup: CgroupCounters | None
    timing: Timing
    process_lifecycle: ProcessLifecycle
    judge_actions: Names
    collection_errors: Names
    isolation: Isolation
    limits: LimitsEvidence
    teardown: Teardown
    network: ConnectionList | None = None
    refused: RefusedList | None = None
    network_left_out: PositiveCount | None = None
    network_bytes: Count | None = None
    secrets: SecretUseList | None = None
