"""The route of a key's own properties, which a page shows to its user."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.env import Env
from functions.http.answers import answer
from functions.http.openapi.bodies import Time
from functions.http.openapi.operation import KEYED
from functions.http.resolver import Resolver, Route
from functions.http.rights import RIGHTS, Right, rights_of
from functions.projects.authentication import identify


class OwnKey(TypedDict):
    """The API key of the request."""

    project_id: str
    prefix: Annotated[str, Field(description="Its first 12 characters.")]
    name: str | None
    rights: Annotated[list[Right], Field(description="What it may do.")]
    expires_at: Time | None


@dataclass(frozen=True, slots=True)
class OwnKeyRoutes:
    """Raises UnauthorizedError."""

    env: Env

    def show(self, app: Resolver) -> Response[str]:
        record = identify(app.current_event, self.env).record
        body: OwnKey = {
            "project_id": record.project_id,
            "prefix": record.prefix,
            "name": record.name,
            "rights": list(rights_of(record.rights)),
            "expires_at": record.expires_at,
        }
        return answer(body)


OWN_KEY_ROUTES: tuple[Route[OwnKeyRoutes], ...] = (
    Route(
        "GET /api/key",
        OwnKeyRoutes.show,
        "getKey",
        "Show the key of the request: its name, rights and expiry",
        {200: ("The key.", (OwnKey,)), **KEYED},
        rights=RIGHTS,
    ),
)
