"""Request bodies of /api/projects. A wrong shape raises InvalidFieldsError (422, with fields).

Unknown fields are ignored, except inside `quotas` and `network`, where a typing error must not pass silently.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from events.network import Network
from events.vocabulary import Profile
from functions.clock import Clock, from_rfc3339
from functions.errors import BadRequestError, FieldProblem, InvalidFieldsError
from functions.http.validation import HostEntry, Problems, Text, checked_line, checked_moment, parse_body
from functions.projects.model import MAX_IN_FLIGHT, NetworkAccess, Project, ProjectNetwork, Quota

NAME_MAX_CHARS = 100
PER_MINUTE_MAX = 100_000
PER_DAY_MAX = 10_000_000
MB_PER_DAY_MAX = 10_000_000
FILES_MB_MAX = 1_048_576
PATTERNS_MAX = 256

_PROJECT_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


Name = Annotated[Text, Field(min_length=1, max_length=NAME_MAX_CHARS), AfterValidator(checked_line)]
Profiles = Annotated[
    list[Annotated[Profile, Field(strict=False)]],
    Field(min_length=1, description="Allowed profiles."),
]
Moment = Annotated[Text, AfterValidator(checked_moment), Field(json_schema_extra={"format": "date-time"})]

FilesMb = Annotated[int, Field(ge=0, le=FILES_MB_MAX)]


class QuotaChange(BaseModel):
    """A change of a quota. A missing or null value stays as it is."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    per_minute: int | None = Field(default=None, ge=1, le=PER_MINUTE_MAX, description="Submissions in a minute.")
    per_day: int | None = Field(default=None, ge=1, le=PER_DAY_MAX, description="Submissions in a day (UTC).")
    in_flight: int | None = Field(default=None, ge=1, le=MAX_IN_FLIGHT, description="Runs that are not final.")


class QuotaChanges(BaseModel):
    """Changes of quotas by profile. Missing: unchanged; null: back to the default."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    judge: QuotaChange | None = None
    agent: QuotaChange | None = None

    def applied_to(self, project: Project) -> Mapping[str, Quota]:
        """Return the project's own quotas after the change."""
        quotas = dict(project.quotas)
        for profile in self.model_fields_set:
            change: QuotaChange | None = getattr(self, profile)
            if change is None:
                quotas.pop(profile, None)
            else:
                quotas[profile] = replace(project.quota(profile), **change.model_dump(exclude_none=True))
        return quotas


class NetworkChange(BaseModel):
    """A change of a project's network. A missing or null value stays as it is."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    access: NetworkAccess | None = Field(
        default=None, strict=False, description="none, listed (needs `allow`), or public (any public name)."
    )
    allow: Annotated[list[HostEntry], Field(min_length=1, max_length=PATTERNS_MAX)] | None = Field(
        default=None,
        description="With listed: entries name[:port]; the default port is 443. A leading *. stands for labels.",
        examples=[["api.example.com", "*.example.org:8443"]],
    )
    mb_per_day: int | None = Field(
        default=None, ge=1, le=MB_PER_DAY_MAX, description="MiB in both directions, of all runs in a day (UTC)."
    )

    def applied_to(self, network: ProjectNetwork) -> ProjectNetwork:
        """Return the network after the change."""
        access = self.access or network.access
        allow = network.allow if self.allow is None else Network.of(self.allow).entries
        is_listed = access is NetworkAccess.LISTED
        return ProjectNetwork(access, allow if is_listed else (), self.mb_per_day or network.mb_per_day)

    def problems(self, network: ProjectNetwork) -> Iterator[FieldProblem]:
        """Yield what does not fit together after the change."""
        is_listed = (self.access or network.access) is NetworkAccess.LISTED
        if self.allow is not None and not is_listed:
            yield FieldProblem("network.allow", "Only with access listed.", of=("network.access",))
        if is_listed and not (self.allow or network.allow):
            yield FieldProblem("network.allow", "Required with access listed.", of=("network.allow",))


class CreateProjectRequest(BaseModel):
    """Body of POST /api/projects."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    name: Name
    profiles: Profiles | None = Field(default=None, description="Allowed profiles. Default: all.")
    quotas: QuotaChanges | None = None
    network: NetworkChange | None = Field(default=None, description="Default: access none.")
    files_mb: FilesMb | None = Field(default=None, description="MiB of all its stored files. Default: 1,024.")


class ChangeProjectRequest(BaseModel):
    """Body of PATCH /api/projects/{id}. A missing or null value stays as it is."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    name: Name | None = None
    enabled: bool | None = Field(default=None, description="false: its keys are refused, after at most three seconds.")
    profiles: Profiles | None = None
    quotas: QuotaChanges | None = None
    network: NetworkChange | None = None
    files_mb: FilesMb | None = Field(default=None, description="MiB of all its stored files.")


def changed(project: Project, request: CreateProjectRequest | ChangeProjectRequest, problems: Problems) -> Project:
    """Return the project with the given values. Profiles are in canonical order, each once.

    `problems`: those found before. Raises InvalidFieldsError.
    """
    problems.add(request.network.problems(project.network) if request.network else ())
    problems.refuse()
    profiles = request.profiles
    return replace(
        project,
        name=request.name or project.name,
        profiles=tuple(profile.value for profile in Profile if profile in profiles) if profiles else project.profiles,
        quotas=request.quotas.applied_to(project) if request.quotas else project.quotas,
        network=request.network.applied_to(project.network) if request.network else project.network,
        files_mb=project.files_mb if request.files_mb is None else request.files_mb,
    )


class IssueKeyRequest(BaseModel):
    """Body of POST /api/projects/{id}/keys. It is optional."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    expires_at: Moment | None = Field(default=None, description="In the future. Default: it does not expire.")


class ChangeKeyRequest(BaseModel):
    """Body of PATCH /api/projects/{id}/keys/{key_id}."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    expires_at: Moment | None = Field(description="null: it does not expire. A time in the past ends it now.")


def parse_issue(raw: bytes, clock: Clock) -> IssueKeyRequest:
    """Check the body of a new key; it may be empty. Raises ServiceError."""
    request = parse_body(IssueKeyRequest, raw or b"{}")
    if request.expires_at is not None and from_rfc3339(request.expires_at) <= clock():
        raise InvalidFieldsError((FieldProblem("expires_at", "Must be in the future."),))
    return request


def project_id(text: str) -> str:
    """Check a project id in a path: a UUID, or a name chosen by the installation. Raises BadRequestError."""
    if not _PROJECT_ID.fullmatch(text):
        raise BadRequestError("This is no id of a project. GET /api/projects lists them.")
    return text
