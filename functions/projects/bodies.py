"""What clients send and see of projects and keys. A wrong shape raises InvalidFieldsError (422, with fields).

A setting of a project is a field of `model.Project` and of `_Settings`: both bodies and the answer have it then.
Unknown fields are ignored, except in a new key and inside `quotas` and `network`, where a typing error must not pass
silently.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Annotated, TypedDict, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from events.network import Network
from events.vocabulary import Profile
from functions.clock import Clock, from_rfc3339
from functions.errors import BadRequestError, FieldProblem, InvalidFieldsError
from functions.http.openapi.bodies import Time, Uuid
from functions.http.rights import Right, rights_of
from functions.http.validation import HostEntry, Problems, Text, checked_line, checked_moment, parse_body
from functions.projects.model import (
    MAX_IN_FLIGHT,
    KeyRecord,
    NetworkAccess,
    Project,
    ProjectNetwork,
    ProjectRecord,
    Quota,
)

NAME_MAX_CHARS = 100
PER_MINUTE_MAX = 100_000
PER_DAY_MAX = 10_000_000
MB_PER_DAY_MAX = 10_000_000
FILES_MB_MAX = 1_048_576
PATTERNS_MAX = 256

_PROJECT_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_STRICT = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)
_CLOSED = _STRICT | ConfigDict(extra="forbid")


def _in_order(profiles: list[Profile]) -> tuple[str, ...]:
    """Return each profile once."""
    return tuple(profile.value for profile in Profile if profile in profiles)


Name = Annotated[Text, Field(min_length=1, max_length=NAME_MAX_CHARS), AfterValidator(checked_line)]
Profiles = Annotated[
    list[Annotated[Profile, Field(strict=False)]],
    Field(min_length=1),
    AfterValidator(_in_order),
]
Moment = Annotated[Text, AfterValidator(checked_moment), Field(json_schema_extra={"format": "date-time"})]


class QuotaChange(BaseModel):
    """A change of a quota. A missing or null value stays as it is."""

    model_config = _CLOSED

    per_minute: int | None = Field(default=None, ge=1, le=PER_MINUTE_MAX, description="Submissions in a minute.")
    per_day: int | None = Field(default=None, ge=1, le=PER_DAY_MAX, description="Submissions in a day (UTC).")
    in_flight: int | None = Field(default=None, ge=1, le=MAX_IN_FLIGHT, description="Runs that are not final.")


class QuotaChanges(BaseModel):
    """Changes of quotas by profile. Missing: unchanged; null: back to the default."""

    model_config = _CLOSED

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

    model_config = _CLOSED

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

    def applied_to(self, project: Project) -> ProjectNetwork:
        """Return the network after the change."""
        network = project.network
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


class _Settings(BaseModel):
    """The settings that a request may give. Missing and null ones: the default, or the value so far."""

    model_config = _STRICT

    name: Name | None = None
    profiles: Profiles | None = Field(default=None, description="Allowed profiles. Default: all.")
    quotas: QuotaChanges | None = None
    network: NetworkChange | None = Field(default=None, description="Default: access none.")
    files_mb: Annotated[int, Field(ge=0, le=FILES_MB_MAX)] | None = Field(
        default=None, description="MiB of all its stored files together. Default: 1,024."
    )


_Nested = QuotaChanges | NetworkChange


class CreateProjectRequest(_Settings):
    """Body of POST /api/projects."""

    name: Name


class ChangeProjectRequest(_Settings):
    """Body of PATCH /api/projects/{id}. A missing or null value stays as it is."""

    enabled: bool | None = Field(default=None, description="false: its keys are refused, after at most three seconds.")


def changed(project: Project, request: CreateProjectRequest | ChangeProjectRequest, problems: Problems) -> Project:
    """Return the project with the given values. `problems`: those found before. Raises InvalidFieldsError."""
    problems.add(request.network.problems(project.network) if request.network else ())
    problems.refuse()
    given = {name: value for name in _Settings.model_fields if (value := getattr(request, name)) is not None}
    nested = {name: value.applied_to(project) for name, value in given.items() if isinstance(value, _Nested)}
    return replace(project, **given | nested)


class IssueKeyRequest(BaseModel):
    """Body of POST /api/projects/{id}/keys. It is optional."""

    model_config = _CLOSED  # a field that is not understood must not make a key with all rights

    expires_at: Moment | None = Field(default=None, description="In the future. Default: it does not expire.")
    name: Name | None = Field(default=None, description="For you: lists and events of changes show it.")
    rights: Annotated[list[Right], Field(min_length=1), AfterValidator(rights_of)] | None = Field(
        default=None, description="What the key may do. Default: all."
    )


class ChangeKeyRequest(BaseModel):
    """Body of PATCH /api/projects/{id}/keys/{key_id}."""

    model_config = _STRICT

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


# What a client sees. Each `TypedDict` is a schema of the OpenAPI document.


class QuotaBody(TypedDict):
    """The quota of one profile."""

    per_minute: int
    per_day: int
    in_flight: int


class QuotasBody(TypedDict):
    """The quotas of all profiles."""

    judge: QuotaBody
    agent: QuotaBody


class ProjectNetworkBody(TypedDict):
    """Which hosts the requests of a project may name."""

    access: Annotated[
        NetworkAccess, Field(description="none, listed (those that `allow` covers), or public (any public name).")
    ]
    allow: Annotated[list[str], Field(description="With listed: entries name:port; a leading *. stands for labels.")]
    mb_per_day: Annotated[int, Field(description="MiB in both directions, of all its runs in a day (UTC).")]


class ProjectBody(TypedDict):
    """A project."""

    id: Annotated[str, Field(description="A UUID. The local stack has a project called `dev`.")]
    name: str
    enabled: bool
    profiles: list[Profile]
    quotas: QuotasBody
    network: ProjectNetworkBody
    files_mb: Annotated[int, Field(description="MiB of all its stored files together.")]
    created_at: Time
    disabled_at: Time | None


class ProjectPage(TypedDict):
    """One page, newest first."""

    items: list[ProjectBody]
    next_cursor: str | None


class KeyBody(TypedDict):
    """The properties of an API key."""

    key_id: Uuid
    project_id: str
    prefix: Annotated[str, Field(description="The key's first 12 characters.")]
    created_at: Time
    last_used_at: Annotated[Time | None, Field(description="To the minute.")]
    expires_at: Time | None
    revoked_at: Time | None
    name: str | None
    rights: Annotated[list[Right], Field(description="What the key may do.")]


class IssuedKeyBody(KeyBody):
    """A new key."""

    key: Annotated[str, Field(description="The key itself. It is shown here and never again.")]


class KeyPage(TypedDict):
    """One page, newest first. A revoked key stays for 90 days."""

    items: list[KeyBody]
    next_cursor: str | None


def project_body(record: ProjectRecord) -> ProjectBody:
    """Return the body of a project, with the effective quota of each profile."""
    project = record.project
    settings = {name: value for name, value in asdict(project).items() if name in _Settings.model_fields}
    body = {
        "id": project.project_id,
        **settings,
        "enabled": record.disabled_at is None,
        "quotas": {profile.value: asdict(project.quota(profile)) for profile in Profile},
        "created_at": record.created_at,
        "disabled_at": record.disabled_at,
    }
    return cast("ProjectBody", body)


def key_body(record: KeyRecord) -> KeyBody:
    return cast("KeyBody", asdict(record) | {"rights": list(rights_of(record.rights))})


def issued_key_body(record: KeyRecord, key: str) -> IssuedKeyBody:
    return {"key": key, **key_body(record)}
