"""What a client sees with `view=compact`: no aliases, no evidence, no null."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict, cast

from pydantic import ConfigDict, Field, with_config

from events.vocabulary import Actor, Cause, Phase, Verdict
from functions.http.openapi.bodies import Uuid
from functions.messages.evidence import Count, Measure
from functions.submissions.results.views import (
    Artifacts,
    FinalResult,
    FinalStatus,
    LanguageName,
    OpenResult,
    OpenStatus,
    Output,
    SkippedArtifacts,
    Warnings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMPACT = ("id", "status", "language", "result", "output", "artifacts", "artifacts_skipped", "metrics", "metadata")
_COMPACT_METRICS = ("cpu_time_secs", "wall_time_secs", "memory_peak_bytes")


class _Compact(TypedDict):
    id: Uuid
    language: LanguageName
    metadata: NotRequired[Annotated[dict[str, str], Field(description="Left out if empty.")]]


@with_config(ConfigDict(extra="forbid"))
class CompactOpen(_Compact):
    """A submission without a verdict, with `view=compact`."""

    status: OpenStatus


@with_config(ConfigDict(extra="ignore"))  # not that of the body around it
class CompactResult(TypedDict):
    """The verdict and its reasons. Unknown values are left out."""

    verdict: Verdict
    cause: Cause
    actor: Actor
    phase: Phase
    exit_code: NotRequired[Annotated[int, Field(description="Left out if the program did not exit by itself.")]]
    signal: NotRequired[Annotated[int, Field(description="Left out if no signal ended the program.")]]
    error_message: NotRequired[Annotated[str, Field(description="Left out if there is nothing to say.")]]


@with_config(ConfigDict(extra="ignore"))
class CompactMetrics(TypedDict, total=False):
    """The measurements. One that is missing is left out."""

    cpu_time_secs: Measure
    wall_time_secs: Measure
    memory_peak_bytes: Count


@with_config(ConfigDict(extra="forbid"))
class CompactFinal(_Compact):
    """A finished submission, with `view=compact`: no aliases, no evidence, no null."""

    status: FinalStatus
    result: CompactResult
    output: Output
    artifacts: NotRequired[Artifacts]
    artifacts_skipped: NotRequired[SkippedArtifacts]
    metrics: NotRequired[Annotated[CompactMetrics, Field(description="Left out without measurements.")]]
    warnings: NotRequired[Warnings]


def compact(body: FinalResult | OpenResult) -> CompactFinal | CompactOpen:
    """Return what most clients of a result use: no aliases, no evidence, no null and no empty metadata."""
    whole: Mapping[str, Any] = body
    kept = {name: whole[name] for name in _COMPACT if whole.get(name)}
    for name in ("result", "metrics"):
        if name in kept:
            kept[name] = {key: value for key, value in kept[name].items() if value is not None}
    if "metrics" in kept:
        kept["metrics"] = {name: value for name, value in kept["metrics"].items() if name in _COMPACT_METRICS}
    if "warnings" in whole:
        kept["warnings"] = whole["warnings"]
    return cast("CompactFinal | CompactOpen", kept)
