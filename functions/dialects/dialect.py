"""One protocol of another service, as an adapter describes it: its routes, what they all have, and the resolver."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError

from events.vocabulary import Profile, Verdict
from functions.aws.payloads import Payloads
from functions.env import Env
from functions.errors import (
    InvalidFieldsError,
    NotFoundError,
    ServiceError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from functions.http.answers import JSON_TYPE
from functions.http.http_event import BODY_MAX_BYTES, HttpEvent, json_body
from functions.http.json_body import LIST_MAX_BYTES, body_text, escaped_bytes
from functions.http.long_poll import SHORTEST_WAIT_SECS, long_poll
from functions.http.parameters import SUBMIT_MAX_SECS, key_of
from functions.http.resolver import Resolver, Route, Wait
from functions.http.rights import Right
from functions.http.validation import Problems, read_json
from functions.projects.authentication import authenticate_key
from functions.projects.model import Project
from functions.submissions.accept.acceptance import NewSubmission
from functions.submissions.accept.requests import ValidSubmission, check_submission
from functions.submissions.model import Submission
from functions.submissions.results.results import output_if_kept
from functions.submissions.submit_api import accept_and_wait, program_rules

# What the routes of all dialects have: a project, and the code that accepts programs for POST /api/submit.


@dataclass(frozen=True, slots=True)
class DialectRoutes:
    """The routes of a dialect, for one request with a valid key. All raise ServiceError."""

    env: Env
    app: Resolver
    project: Project
    body_max_bytes: ClassVar[int] = BODY_MAX_BYTES

    @property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the request; empty for any other JSON."""
        body, _ = read_json(json_body(self.app.current_event, self.body_max_bytes))
        return body if isinstance(body, dict) else {}

    @property
    def profile(self) -> Profile:
        """The profile of programs whose request cannot name one."""
        return Profile.JUDGE if Profile.JUDGE in self.project.profiles else Profile.AGENT

    def checked(self, body: Mapping[str, Any], problems: Problems | None = None) -> ValidSubmission:
        """Check a translated request, which has the fields of POST /api/submit. `problems`: those found before."""
        rules = program_rules(self.env, self.app.current_event, self.project)
        return check_submission(body, rules, Problems() if problems is None else problems)

    def run(self, request: ValidSubmission, wait_secs: float) -> Submission:
        """Accept a run, wait for its end for as long, and return the submission as it is then."""
        begun, event = self.env[long_poll].monotonic(), self.app.current_event
        secs = min(wait_secs, max(self.app.secs_left(), SHORTEST_WAIT_SECS))
        source = event.path.split("/")[1]  # the name of the dialect
        new = NewSubmission(self.project, request, None, secs, event.correlation_id, event.traceparent, source)
        return accept_and_wait(self.env, self.app, new, begun).submission

    def finished(self, request: ValidSubmission) -> Submission:
        """Accept a run, and return it when it has ended. Raises UnavailableError, also for a fault of the service."""
        row = self.run(request, SUBMIT_MAX_SECS)
        if not row.is_final:
            raise UnavailableError(f"The run is not finished in time and continues as {row.submission_id}.")
        if row.verdict == Verdict.IE:
            raise UnavailableError(f"The run failed on our side: {row.result.get('error_message')}.")
        return row

    def outputs(self, row: Submission) -> tuple[bytes, bytes]:
        """Return stdout and stderr of a final submission, nothing for a deleted one."""
        payloads = self.env[Payloads]
        return output_if_kept(payloads, row, "stdout"), output_if_kept(payloads, row, "stderr")


def json_answer(body: Any, status: int = 200) -> Response[str]:
    """Build an answer. Raises TooLargeError if it is too large for a function's response."""
    text = body_text(body)
    if escaped_bytes(text) > LIST_MAX_BYTES:
        raise TooLargeError(f"The output is too large for one answer, which has at most {LIST_MAX_BYTES:,} bytes.")
    return Response(status_code=status, content_type=JSON_TYPE, body=text)


def answering(body: Any) -> Callable[..., Response[str]]:
    """Return a route that always has the same answer."""
    return lambda *_: json_answer(body)


def refusing(error: type[ServiceError], *reason: Any) -> Callable[..., Response[str]]:
    """Return a route that always raises an error."""

    def refuse(*_: object) -> Response[str]:
        raise error(*reason)

    return refuse


WITH_FILES_MAX_BYTES: Final = 5_242_880
"""Of a body that may have the bytes of files in base64."""


# One protocol of another service, as an adapter describes it, and the resolver of all of them.


READS: Final[tuple[Right, ...]] = ("run", "read")
"""A key with one of these rights opens a route that changes nothing."""
_KEY_IN_PATH = "{key}"


def route(
    key: str,
    serve: Callable[..., Response[Any]],
    rights: tuple[Right, ...],
    waits: Wait = "never",
    read_max_bytes: int | None = None,
    security: Literal["ApiKey"] | None = "ApiKey",
) -> Route[Any]:
    """Return one method of one path, such as `GET /piston/api/v2/runtimes`, without the texts of an OpenAPI document.

    A first variable `{key}` of the path is the API key, for clients that take nothing but a URL; `serve` does not get
    it, and no log has it. Without `security` the route needs no key, and `serve` gets nothing.
    """
    return Route(key, serve, "", "", {}, security=security, rights=rights, waits=waits, read_max_bytes=read_max_bytes)


class Dialect(NamedTuple):
    """One protocol. All its paths are `/<name>` or below.

    `key_headers`: its own headers for the API key, in lower case. X-API-Key and `Authorization: Bearer` work as well.
    `error`: turns our status and error body into those of the protocol. `retry_after_secs` is one of its fields, and
    `message` names the wrong fields.
    `part`: its routes for one request.
    """

    name: str
    key_headers: tuple[str, ...]
    error: Callable[[int, Mapping[str, Any]], tuple[int, Any]]
    part: type[DialectRoutes]
    routes: Sequence[Route[Any]]

    def served(self) -> tuple[Route[Env], ...]:
        """Return the routes as rows of the API's table."""
        return tuple(row._replace(serve=self._served(row), has_secret=_KEY_IN_PATH in row.key) for row in self.routes)

    def _served(self, row: Route[Any]) -> Callable[..., Response[Any]]:
        serve: Callable[..., Response[Any]] = row.serve

        def answered(env: Env, app: Resolver, *variables: str) -> Response[Any]:
            if self.name not in env.settings.dialects:
                raise NotFoundError(f"/{self.name} is off: the parameter Dialects of this deployment is without it.")
            if row.security is None:
                return serve()
            in_path = variables[0] if _KEY_IN_PATH in row.key else ""
            key = _sent_key(app.current_event, self.key_headers, in_path)
            project = authenticate_key(app.current_event, env, key)
            return serve(self.part(env, app, project), *variables[bool(in_path) :])

        return answered


_ALLOWED_METHODS: Final = "access-control-allow-methods"
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9, -]{0,1000}")
_EXPOSED: Final = "retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset, x-request-id"


class DialectResolver(Resolver):
    """Serves dialects. Errors have the shape of the dialect whose path it is."""

    def __init__(self, env: Env, dialects: Sequence[Dialect]) -> None:
        super().__init__(env.log)
        self._env, self._dialects = env, dialects
        for dialect in dialects:  # our OpenAPI document leaves them out: each protocol has its own
            self.serve(dialect.served(), lambda: env)

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one event. A slash at the end of a path means nothing to these services."""
        request = event["requestContext"]
        http = {**request["http"], "path": request["http"]["path"].rstrip("/")}
        path = event["rawPath"].rstrip("/")
        cors = self._page_headers(HttpEvent(dict(event)))
        if _ALLOWED_METHODS in cors:
            return {"statusCode": 204, "headers": cors, "body": "", "isBase64Encoded": False}
        answer = super().resolve({**event, "rawPath": path, "requestContext": {**request, "http": http}}, context)
        return {**answer, "headers": {**answer["headers"], **cors}}

    def _page_headers(self, event: HttpEvent) -> dict[str, str]:
        """Return the headers for pages of the origins that the operator lists; none of them has cookies or `*`.

        Those of a preflight, which a browser sends without a key, also say what a page may send.
        """
        settings = self._env.settings
        if not settings.dialect_origins:
            return {}
        headers = event.headers
        origin = headers.get("origin")
        if origin not in settings.dialect_origins or event.path.split("/")[1] not in settings.dialects:
            return {"vary": "Origin"}
        allowed = {"vary": "Origin", "access-control-allow-origin": origin}
        names = headers.get("access-control-request-headers", "")
        is_preflight = event.http_method == "OPTIONS" and "access-control-request-method" in headers
        if is_preflight and _HEADER_NAMES.fullmatch(names):
            may_send = {_ALLOWED_METHODS: "GET, POST, PUT, DELETE", "access-control-allow-headers": names}
            return {**allowed, **may_send, "access-control-max-age": "600"}
        return {**allowed, "access-control-expose-headers": _EXPOSED}

    def _answer_unmatched(self, _: NoRouteError) -> Response[str]:
        raise NotFoundError("Not Found")

    def _answer_failure(self, error: Exception) -> Response[str]:
        answered = super()._answer_failure(error)
        first = self.current_event.path.split("/")[1]
        dialect = next((one for one in self._dialects if one.name == first), None)
        if dialect is None:
            return answered
        later = {"retry_after_secs": int(str(answered.headers.get("retry-after", 1)))}
        said = later | json.loads(answered.body or "{}")
        if isinstance(error, InvalidFieldsError):
            said["message"] = error.text
        status, body = dialect.error(answered.status_code, said)
        return Response(status_code=status, content_type=JSON_TYPE, headers=answered.headers, body=json.dumps(body))


def _sent_key(event: HttpEvent, key_headers: tuple[str, ...], in_path: str) -> str:
    """Return the only API key of a request, in its headers or its path. Raises UnauthorizedError."""
    authorization = event.headers.get("authorization") or ""
    keys = {in_path, event.headers.get("x-api-key") or "", key_of(authorization)}
    for name in key_headers:
        if name != "authorization" or " " not in authorization:  # there a key stands alone
            keys.add(event.headers.get(name) or "")
    keys.discard("")
    if len(keys) > 1:
        raise UnauthorizedError("The request has two different API keys. Send one.")
    if not keys:
        raise UnauthorizedError(
            f"Send your API key in the header {key_headers[0]}, X-API-Key or Authorization: Bearer."
        )
    return keys.pop()
