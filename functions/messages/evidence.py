"""Shapes of `metrics` and `evidence`: a runner's measurements, as clients see them.

A runner runs hostile code, so we check its messages with these models before we store anything.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from events.vocabulary import Actor, Cause, Divergence
from functions.messages.network import ConnectionList, RefusedList

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ShortText = Annotated[str, Field(max_length=1024)]
Names = Annotated[tuple[ShortText, ...], Field(max_length=128)]
IsolationMode = Literal["strict", "permissive"]
CgroupBackend = Literal["cgroup_v1", "cgroup_v2"]


class Shape(BaseModel):
    """Strict and frozen. Unknown keys are dropped: a newer runner may send more. Errors do not quote the input."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )


class Metrics(Shape):
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


class CgroupCounters(Shape):
    """Counters of the run's control groups."""

    memory_limit_bytes: Count
    memory_peak_bytes: Count
    oom_events: Count
    oom_kill_events: Count
    cpu_usage_usec: Count
    process_count: Count
    process_limit: Count


class Timing(Shape):
    """CPU against wall time."""

    cpu_ms: Measure
    wall_ms: Measure
    cpu_wall_ratio: Measure
    divergence: Divergence


class ProcessLifecycle(Shape):
    """Processes that remained when the run ended."""

    reap_status: Literal["clean", "unclean"]
    descendant_containment: Literal["ok", "breached"]
    zombie_count: Count


class Isolation(Shape):
    """Controls in force in this run, and missing controls."""

    mode: IsolationMode
    controls_applied: Names
    controls_missing: Names


class LimitsEvidence(Shape):
    """Which control-group interface enforced the limits."""

    cgroup_backend: CgroupBackend | None
    cgroup: CgroupCounters | None


class Teardown(Shape):
    """The check that nothing of the jail remained."""

    reap_status: Literal["clean", "unclean"]
    zombie_count: Count
    cleanup_verified: bool


class Evidence(Shape):
    """The measurements of one run, in the shapes of schema 1.0 and 2.0.

    `network`: the connections of a run with network. `refused`: targets that it tried and may not reach.
    `network_bytes`: of all its connections in both directions, also of those that the list leaves out.
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
    network: ConnectionList | None = Field(default=None, exclude_if=lambda value: value is None)
    refused: RefusedList | None = Field(default=None, exclude_if=lambda value: value is None)
    network_bytes: Count | None = Field(default=None, exclude_if=lambda value: value is None)
