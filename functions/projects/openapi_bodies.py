"""OpenAPI bodies of projects and keys. `functions.projects.views` builds the answers; tests compare both."""

from pydantic import BaseModel, Field

from functions.http.openapi.bodies import Time, Uuid
from functions.messages.languages import Profile


class QuotaBody(BaseModel):
    """The quota of one profile."""

    per_minute: int
    per_day: int
    in_flight: int


class QuotasBody(BaseModel):
    """The quotas of all profiles."""

    judge: QuotaBody
    agent: QuotaBody


class ProjectBody(BaseModel):
    """A project."""

    id: str = Field(description="A UUID. The local stack has a project called `dev`.")
    name: str
    enabled: bool
    profiles: list[Profile]
    quotas: QuotasBody
    created_at: Time
    disabled_at: Time | None


class ProjectPage(BaseModel):
    """One page, newest first."""

    items: list[ProjectBody]
    next_cursor: str | None


class KeyBody(BaseModel):
    """The properties of an API key."""

    key_id: Uuid
    project_id: str
    prefix: str = Field(description="The key's first 12 characters.")
    created_at: Time
    last_used_at: Time | None = Field(description="To the minute.")
    expires_at: Time | None
    revoked_at: Time | None


class IssuedKeyBody(KeyBody):
    """A new key."""

    key: str = Field(description="The key itself. It is shown here and never again.")


class KeyPage(BaseModel):
    """One page, newest first. A revoked key stays for 90 days."""

    items: list[KeyBody]
    next_cursor: str | None
