"""`execution_started` and `runner_heartbeat`: reports of a running runner."""

from dataclasses import dataclass
from typing import Annotated

from sandbox_runtime.messages.codec import Check
from sandbox_runtime.messages.rules import (
    CgroupBackend,
    CorrelationId,
    Count,
    IsolationMode,
    LanguageName,
    NodeId,
    Timestamp,
    Uuid,
)

_UNIQUE = Check(lambda items: len(set(items)) == len(items), "without repetition")
MAX_PROBLEM_CHARS = 2000
_PROBLEM = Check(lambda text: 0 < len(text) <= MAX_PROBLEM_CHARS, f"of 1 to {MAX_PROBLEM_CHARS} characters")


@dataclass(frozen=True, slots=True)
class ExecutionStarted:
    """A runner has started an execution."""

    submission_id: Uuid
    execution_id: Uuid
    node_id: NodeId
    started_at: Timestamp
    correlation_id: CorrelationId | None = None


@dataclass(frozen=True, slots=True)
class RunnerHeartbeat:
    """State of one runner.

    `toolchains`: version text by language name. `problem`: why it cannot work.

    `network_support`: whether it takes runs with network. `packages`: versions of the packages that Python programs may
    import, by name.
    """

    node_id: NodeId
    runner_version: str
    sent_at: Timestamp
    slots: Count
    slots_busy: Count
    languages: Annotated[tuple[LanguageName, ...], _UNIQUE]
    toolchains: dict[str, str]
    isolation_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    controls: tuple[str, ...]
    problem: Annotated[str, _PROBLEM] | None = None
    network_support: bool | None = None
    packages: dict[str, str] | None = None
