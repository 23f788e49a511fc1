"""What a client sees of languages and runners. Each type is a schema of the OpenAPI document."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from events.vocabulary import Language
from functions.messages.evidence import CgroupBackend, Count, IsolationMode


class RunnerProblem(TypedDict):
    """A runner that cannot work."""

    node_id: Annotated[str, Field(description="Empty if no runner is live.")]
    problem: Annotated[str, Field(description="Why, and what to change on its host.")]


class Figures(TypedDict):
    """The figures of the service and its runners."""

    version: Annotated[str, Field(description="Version of this API.")]
    runner_versions: Annotated[list[str], Field(description="Versions of the live runners; several during an upgrade.")]
    enforcement_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    network_support: Annotated[bool, Field(description="Whether a live runner takes runs with network.")]
    workers: Annotated[
        Count, Field(description="Slots of all runners that reported in the last minute and are not draining.")
    ]
    queue_depth: Count
    node_id: Annotated[str, Field(description="The live runner with the latest report; empty without any.")]
    problems: Annotated[
        list[RunnerProblem],
        Field(
            description="Runners that cannot work, as they said in the last five minutes; "
            "one of each that say the same. `GET /api/health` also says here that no runner is live."
        ),
    ]


class HealthReport(Figures):
    """`degraded`: no runner is live, so queued runs wait; or the figures could not be read."""

    status: Literal["ok", "degraded"]


class Ready(Figures):
    """At least one runner is live."""

    status: Literal["ready"]


class NotReady(TypedDict):
    """No runner has reported for a minute, or all are stopping."""

    status: Literal["not_ready"]
    error: str


class CeilingsOfLimits(TypedDict):
    """The highest values of `limits`."""

    cpu_time_secs: Count
    wall_time_secs: Count
    memory_mb: Count
    max_processes: Count
    output_kb: Count
    file_size_mb: Count
    open_files: Count
    stack_mb: Count


class CeilingsOfProfiles(TypedDict):
    """The ceilings of `limits` in each profile, as the operator has set them."""

    judge: CeilingsOfLimits
    agent: CeilingsOfLimits


class LanguageDetail(TypedDict):
    """A language, its toolchains on the runners of the last 24 h, and the ceilings of `limits`."""

    name: Language
    toolchains: Annotated[list[str], Field(description="Toolchain versions; several during an upgrade of the fleet.")]
    ceilings: CeilingsOfProfiles
    packages: Annotated[
        dict[str, list[str]],
        Field(description="Versions of the packages that a program may import without installing them, by name."),
    ]


type Languages = Annotated[list[Language], Field(description="A bare array.")]
type LanguageDetails = Annotated[list[LanguageDetail], Field(description="With `detail=true`.")]
