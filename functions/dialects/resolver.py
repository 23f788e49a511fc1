"""One protocol of another service, as an adapter describes it, and the resolver of all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from aws_lambda_powertools.event_handler import Response

from functions.errors import NotFoundError, UnauthorizedError
from functions.http.answers import JSON_TYPE
from functions.http.parameters import key_of
from functions.http.resolver import Method, Resolver, Route, Wait
from functions.projects.authentication import authenticate_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError

    from functions.dialects.routes import DialectRoutes
    from functions.http.http_event import HttpEvent
    from functions.judging.deployment import JudgeDeployment


class DialectRoute(NamedTuple):
    """One method of one path of a protocol. `serve`: the method of the dialect's part that answers."""

    method: Method
    path: str
    serve: Callable[..., Response[str]]
    waits: Wait = "never"


class Dialect(NamedTuple):
    """One protocol. All its paths are `/<name>` or below.

    `key_header`: its own header for the API key, in lower case. X-API-Key and `Authorization: Bearer` work as well.
    `error`: turns our status and error body into those of the protocol.
    `part`: its routes for one request.
    """

    name: str
    key_header: str
    error: Callable[[int, Mapping[str, Any]], tuple[int, Any]]
    part: type[DialectRoutes]
    routes: Sequence[DialectRoute]

    def served(self) -> tuple[Route[JudgeDeployment], ...]:
        """Return the routes as rows of the API's table, without what only the OpenAPI document says."""
        return tuple(
            Route(row.method, row.path, self._served(row.serve), "", "", {}, waits=row.waits) for row in self.routes
        )

    def _served(self, serve: Callable[..., Response[str]]) -> Callable[..., Response[str]]:
        def answered(deployment: JudgeDeployment, app: Resolver, *variables: str) -> Response[str]:
            if self.name not in deployment.settings.dialects:
                raise NotFoundError(f"/{self.name} is off: the parameter Dialects of this deployment is without it.")
            key = _sent_key(app.current_event, self.key_header)
            project = authenticate_key(app.current_event, deployment, key)
            return serve(self.part(deployment, app, project), *variables)

        return answered


class DialectResolver(Resolver):
    """Serves the dialects that the deployment names; the others do not exist. Errors have the shape of the dialect."""

    _dialects: tuple[Dialect, ...] = ()

    def serve_dialect(self, dialect: Dialect, deployment: Callable[[], JudgeDeployment]) -> None:
        """Answer the routes of a dialect. Our OpenAPI document leaves them out: the protocol has its own."""
        self._dialects = (*self._dialects, dialect)
        self.serve(dialect.served(), deployment)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event. A slash at the end of a path means nothing to these services."""
        request = event["requestContext"]
        http = {**request["http"], "path": request["http"]["path"].rstrip("/")}
        path = event["rawPath"].rstrip("/")
        return super().resolve({**event, "rawPath": path, "requestContext": {**request, "http": http}}, context)

    def _answer_unmatched(self, _: NoRouteError) -> Response[str]:
        raise NotFoundError("Not Found")

    def _answer_failure(self, error: Exception) -> Response[str]:
        answered = super()._answer_failure(error)
        first = self.current_event.path.split("/")[1]
        dialect = next((one for one in self._dialects if one.name == first), None)
        if dialect is None:
            return answered
        status, body = dialect.error(answered.status_code, json.loads(answered.body or "{}"))
        return Response(status_code=status, content_type=JSON_TYPE, headers=answered.headers, body=json.dumps(body))


def _sent_key(event: HttpEvent, key_header: str) -> str:
    """Return the only API key in the headers of a request. Raises UnauthorizedError."""
    authorization = event.headers.get("authorization") or ""
    keys = {event.headers.get("x-api-key") or "", key_of(authorization)}
    if key_header != "authorization" or " " not in authorization:  # there a key stands alone
        keys.add(event.headers.get(key_header) or "")
    keys.discard("")
    if len(keys) > 1:
        raise UnauthorizedError("The headers have two different API keys. Send one.")
    if not keys:
        raise UnauthorizedError(f"Send your API key in the header {key_header}, X-API-Key or Authorization: Bearer.")
    return keys.pop()
