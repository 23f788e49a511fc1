"""OpenAPI operations about the service itself, with their bodies: languages, health, and the document."""

from typing import Any, Literal

from pydantic import BaseModel, Field, RootModel

from functions.http.openapi.bodies import Error, GatewayError
from functions.http.openapi.operation import BAD, FAILED, OPEN, THROTTLED, Operation, query
from functions.messages.evidence import CgroupBackend, Count, IsolationMode
from functions.messages.languages import Language


class RunnerProblem(BaseModel):
    """A runner that cannot work."""

    node_id: str
    problem: str = Field(description="Why, and what to change on its host.")


class _Figures(BaseModel):
    version: str = Field(description="Version of this API.")
    runner_versions: list[str] = Field(description="Versions of the live runners; several during an upgrade.")
    enforcement_mode: IsolationMode
    cgroup_backend: CgroupBackend | None
    namespace_support: bool
    workers: Count = Field(description="Slots of all runners that reported in the last minute and are not draining.")
    queue_depth: Count
    node_id: str = Field(description="The live runner with the latest report; empty without any.")
    problems: list[RunnerProblem] = Field(
        description="Runners that cannot work, as they said in the last five minutes; one of each that say the same."
    )


class HealthReport(_Figures):
    """`degraded`: the figures could not be read."""

    status: Literal["ok", "degraded"]


class Ready(_Figures):
    """At least one runner is live."""

    status: Literal["ready"]


class NotReady(BaseModel):
    """No runner has reported for a minute, or all are stopping."""

    status: Literal["not_ready"]
    error: str


class Languages(RootModel[list[Language]]):
    """A bare array."""


class LanguageDetail(BaseModel):
    """A language and its toolchains on the runners of the last 24 h."""

    name: Language
    toolchains: list[str] = Field(description="Toolchain versions; several during an upgrade of the fleet.")


class LanguageDetails(RootModel[list[LanguageDetail]]):
    """With `detail=true`."""


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI document."""


SERVICE_OPERATIONS = (
    Operation(
        "/api/languages",
        "GET",
        "getLanguages",
        "Languages that this deployment offers",
        {
            200: ("Canonical names; with `detail=true` the toolchains too.", (Languages, LanguageDetails)),
            400: BAD,
            **OPEN,
        },
        parameters=(query("detail", {"type": "boolean", "default": False}, "Include the toolchain versions."),),
        security=None,
    ),
    Operation(
        "/api/health",
        "GET",
        "getHealth",
        "Health of the service",
        {
            200: ("Always.", (HealthReport,)),
            429: THROTTLED,
            500: FAILED,
            503: ("The gateway.", (GatewayError,)),
        },
        security=None,
    ),
    Operation(
        "/api/health/ready",
        "GET",
        "getReady",
        "Whether a runner is live",
        {
            200: ("Yes.", (Ready,)),
            429: THROTTLED,
            500: FAILED,
            503: ("No; or a part of the service is busy.", (NotReady, Error)),
        },
        security=None,
    ),
    Operation(
        "/api/openapi.json",
        "GET",
        "getOpenApi",
        "This document",
        {200: ("OpenAPI 3.1.", (Document,)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Operation(
        "/docs",
        "GET",
        "getReference",
        "This document as a page",
        {200: ("HTML.", ("text/html; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
)
