"""The resolver of all dialects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from functions.errors import NotFoundError
from functions.http.answers import JSON_TYPE
from functions.http.json_body import body_text
from functions.http.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError

    from functions.dialects.dialect import Dialect
    from functions.http.route import Route
    from functions.judging.deployment import JudgeDeployment


NOT_FOUND = "Not Found"


class DialectResolver(Resolver):
    """Serves the dialects that the deployment names; the others do not exist. Errors have the shape of the dialect."""

    _dialects: tuple[Dialect, ...] = ()

    def serve_dialect[Part](
        self,
        dialect: Dialect,
        routes: Iterable[Route[Part]],
        part: Callable[[JudgeDeployment], Part],
        deployment: Callable[[], JudgeDeployment],
    ) -> None:
        """Answer the routes of a dialect by the methods of a part."""
        self._dialects = (*self._dialects, dialect)

        def switched_on() -> Part:
            if dialect.name not in deployment().settings.dialects:
                raise NotFoundError(f"/{dialect.name} is off: the parameter Dialects of this deployment is without it.")
            return part(deployment())

        self.serve(routes, switched_on)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event. A slash at the end of a path means nothing to these services."""
        request = event["requestContext"]
        http = {**request["http"], "path": request["http"]["path"].rstrip("/")}
        path = event["rawPath"].rstrip("/")
        return super().resolve({**event, "rawPath": path, "requestContext": {**request, "http": http}}, context)

    def _answer_unmatched(self, _: NoRouteError) -> Response[str]:
        raise NotFoundError(NOT_FOUND)

    def _answer_failure(self, error: Exception) -> Response[str]:
        answered = super()._answer_failure(error)
        first = self.current_event.path.split("/")[1]
        dialect = next((one for one in self._dialects if one.name == first), None)
        if dialect is None:
            return answered
        said: dict[str, Any] = json.loads(answered.body or "{}")
        status, body = dialect.error(answered.status_code, said)
        return Response(status_code=status, content_type=JSON_TYPE, headers=answered.headers, body=body_text(body))
