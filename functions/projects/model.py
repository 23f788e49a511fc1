"""Projects and API keys. A project owns submissions, endpoints and keys."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from events.vocabulary import Profile
from functions.aws.dynamodb.row_codec import IN_KEY, OMIT_DEFAULT, Flat
from functions.errors import FieldProblem
from functions.messages.network import Network
from functions.projects.network.access import NO_NETWORK, ProjectNetwork
from functions.projects.quota import DEFAULT_QUOTAS, Quota

DEFAULT_FILES_MB = 1_024


@dataclass(frozen=True, slots=True)
class Project:
    """`profiles`: the allowed profiles. `quotas`: by profile, only those that differ from the default.

    `network`: what its requests may reach. `files_mb`: MiB of all its stored files together.
    """

    project_id: Annotated[str, IN_KEY]
    name: str
    profiles: tuple[str, ...] = (Profile.JUDGE.value, Profile.AGENT.value)
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    network: Annotated[ProjectNetwork, OMIT_DEFAULT] = NO_NETWORK
    files_mb: Annotated[int, OMIT_DEFAULT] = DEFAULT_FILES_MB

    def quota(self, profile: str) -> Quota:
        """Return the quota of one profile."""
        return self.quotas.get(profile) or DEFAULT_QUOTAS[profile]

    def refusals(self, profile: str, entries: Collection[str] = ()) -> Iterator[FieldProblem]:
        """Yield what the project may not use of a request: its profile, and entries of its network."""
        if profile not in self.profiles:
            refused = f"This project may not use the {profile} profile."
            text = f"{refused} Send another profile, or ask the administrator."
            yield FieldProblem("profile", text, code="forbidden")
        yield from self.network_refusals(entries)

    def network_refusals(self, entries: Collection[str]) -> Iterator[FieldProblem]:
        """Yield the entries of a network that the project may not reach."""
        if entries and (missing := self.network.missing(Network.of(entries))):
            refused = f"This project may not reach {', '.join(missing)}."
            text = f"{refused} Leave them out, or ask the administrator to allow them."
            yield FieldProblem("network.allow", text, code="forbidden")


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """A project as an administrator sees it. Times are RFC 3339; `disabled_at` None: the project is enabled."""

    project: Annotated[Project, Flat()]
    created_at: str
    disabled_at: str | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """The stored properties of an API key. `prefix`: its first characters; the key itself is not stored.

    Times are RFC 3339.
    """

    key_id: str
    project_id: str
    prefix: str
    created_at: str
    last_used_at: str | None = None
    expires_at: str | None = None
    revoked_at: str | None = None
