"""The routes of /api/secrets. A value goes in, and never comes out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import Field, StringConstraints

from events.network import (
    MAX_RULES,
    NAME_OF_SECRET,
    PARAMETER_PATTERN,
    PATH_PATTERN,
    allowed_host,
    variable_of_secret,
)
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError, ConflictError, FieldProblem, NotFoundError
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, Time
from functions.http.openapi.operation import BAD, KEYED, TAKES_BODY, Answer, path
from functions.http.resolver import Resolver, Route
from functions.http.validation import HostEntry, Problems, StrictModel, parse_body
from functions.project_secrets.store import MAX_SECRETS, ProjectSecret, SecretStore, seal
from functions.projects.authentication import authenticate
from functions.projects.changes import Change, record
from functions.projects.model import Project

type Method = Annotated[str, StringConstraints(pattern="^[A-Z]{1,16}$")]
type PathPrefix = Annotated[str, StringConstraints(pattern=f"^{PATH_PATTERN}$")]
type Parameter = Annotated[str, StringConstraints(pattern=f"^{PARAMETER_PATTERN}$")]

# Headers that the relay sets itself or takes away: a secret there would reach nobody, or break the connection.
_OWN_HEADERS = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "expect", "forwarded", "host", "keep-alive"),
        *("proxy-authorization", "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)


class HeaderPlace(StrictModel):
    """The value is a header."""

    header: Parameter = Field(description="Name of the header.", examples=["X-Api-Key"])


class QueryPlace(StrictModel):
    """The value is a parameter of the query."""

    query: Parameter = Field(description="Name of the parameter.", examples=["key"])


type Place = Literal["bearer", "basic"] | HeaderPlace | QueryPlace


class SecretRequest(StrictModel):
    """Body of PUT /api/secrets/{name}."""

    # A shorter one could not be masked in answers without masking ordinary words.
    value: Annotated[str, StringConstraints(pattern="^[ -~]{8,2048}$")] = Field(
        repr=False,
        description="8 to 2,048 printable ASCII characters. For basic: user:password.",
        examples=["ghp_0000"],
    )
    host: HostEntry = Field(
        description="The only host that gets it, name[:port]; the default port is 443.", examples=["api.github.com"]
    )
    as_: Place = Field(
        alias="as", description="Where the relay puts it: Authorization: Bearer or Basic, a header, or the query."
    )
    methods: Annotated[list[Method], Field(max_length=MAX_RULES)] = Field(
        default=[], description="Methods that a program may use; empty: all.", examples=[["GET"]]
    )
    paths: Annotated[list[PathPrefix], Field(max_length=MAX_RULES)] = Field(
        default=[],
        description="Paths that a program may use, each with all below it; empty: all.",
        examples=[["/repos/acme/site"]],
    )


# The alias `as` is a field of the answer, and no name of Python.
SecretView = TypedDict(
    "SecretView",
    {
        "name": str,
        "host": Annotated[str, Field(description="name:port")],
        "as": Annotated[Any, Field(description="bearer, basic, or an object with header or query.")],
        "methods": list[str],
        "paths": list[str],
        "url": Annotated[str, Field(description="What a program calls instead of the host, by plain HTTP.")],
        "variable": Annotated[str, Field(description="The environment variable of a program that has this address.")],
        "created_at": Time,
        "updated_at": Annotated[Time, Field(description="When its value was replaced.")],
        "last_used_at": Annotated[Time | None, Field(description="The last run that named it, to the minute.")],
    },
)


class SecretPage(TypedDict):
    """All secrets of the project, by name, without their values."""

    items: list[SecretView]
    next_cursor: None


class SecretDeleted(TypedDict):
    """The secret is gone."""

    name: str
    deleted: Literal[True]


def secret_view(secret: ProjectSecret) -> dict[str, Any]:
    """Return what a client sees of a secret."""
    sealed = secret.sealed
    return {
        "name": secret.name,
        "host": sealed.target,
        "as": {secret.placement: secret.parameter} if secret.parameter else secret.placement,
        "methods": list(secret.methods),
        "paths": list(secret.paths),
        "url": f"http://{sealed.alias}",
        "variable": variable_of_secret(secret.name),
        "created_at": secret.created_at,
        "updated_at": secret.updated_at,
        "last_used_at": secret.last_used_at,
    }


def rules_of(secret: ProjectSecret) -> dict[str, Any]:
    """Return what the log of changes shows of a secret. Its value is always new."""
    names = ("host", "as", "methods", "paths")
    return {**{name: value for name, value in secret_view(secret).items() if name in names}, "value": "***"}


_UNKNOWN_TEXT = "The project has no such secret."
_NAME = {"type": "string", "pattern": f"^{NAME_OF_SECRET}$"}


@dataclass(frozen=True, slots=True)
class SecretRoutes:
    """Handlers. All of them raise ServiceError."""

    env: Env

    def put(self, app: Resolver, name: str) -> Response[str]:
        project, problems = self._project(app), Problems()
        _check_name(name)
        request = parse_body(SecretRequest, json_body(app.current_event), problems)
        problems.refuse()
        host, (placement, parameter) = allowed_host(request.host), _place(request.as_)
        problems.add(_problems(project, request, placement, parameter))
        problems.refuse()
        store, now = self.env[SecretStore], to_rfc3339(self.env.clock())
        before = {secret.name: secret for secret in store.list_all(project.project_id)}
        if name not in before and len(before) >= MAX_SECRETS:
            raise ConflictError(f"The project has {MAX_SECRETS} secrets. Delete one first.")
        secret = ProjectSecret(
            name=name,
            host=host.name,
            port=host.port,
            placement=placement,
            parameter=parameter,
            methods=tuple(dict.fromkeys(request.methods)),
            paths=tuple(dict.fromkeys(request.paths)),
            created_at=before[name].created_at if name in before else now,
            updated_at=now,
            last_used_at=before[name].last_used_at if name in before else None,
        )
        secret = seal(self.env, project.project_id, secret, request.value)
        views = rules_of(before[name]) if name in before else None, rules_of(secret)
        change = Change(project.project_id, "secret.set", name, *views, {"value"})
        record(self.env, app.current_event, change, partial(store.put, project.project_id, secret))
        self.env.log.info("Secret set", project_id=project.project_id, secret_name=name, request_id=app.request_id)
        return answer(secret_view(secret))

    def page(self, app: Resolver) -> Response[str]:
        found = self.env[SecretStore].list_all(self._project(app).project_id)
        return answer({"items": [secret_view(secret) for secret in found], "next_cursor": None})

    def one(self, app: Resolver, name: str) -> Response[str]:
        return answer(secret_view(self._find(self._project(app), name)))

    def delete(self, app: Resolver, name: str) -> Response[str]:
        project, store = self._project(app), self.env[SecretStore]
        change = Change(project.project_id, "secret.deleted", name, rules_of(self._find(project, name)))
        if not record(self.env, app.current_event, change, partial(store.delete, project.project_id, name)):
            raise NotFoundError(_UNKNOWN_TEXT)
        self.env.log.info("Secret deleted", project_id=project.project_id, secret_name=name, request_id=app.request_id)
        return answer({"name": name, "deleted": True})

    def _find(self, project: Project, name: str) -> ProjectSecret:
        """Return a secret. Raises NotFoundError, also for a text that no name is: as a key it may be too long."""
        is_name = re.fullmatch(NAME_OF_SECRET, name)
        secret = self.env[SecretStore].get(project.project_id, name) if is_name else None
        if secret is None:
            raise NotFoundError(_UNKNOWN_TEXT)
        return secret

    def _project(self, app: Resolver) -> Project:
        return authenticate(app.current_event, self.env)


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_OF_SECRET, name):
        example = "such as github or stripe-live"
        raise BadRequestError(f"A secret's name has a to z, 0 to 9 and -, at most 40 characters: {example}.")


def _place(given: Place) -> tuple[str, str]:
    """Return the placement and the name of its header or parameter."""
    if isinstance(given, HeaderPlace):
        return "header", given.header
    return ("query", given.query) if isinstance(given, QueryPlace) else (given, "")


def _problems(project: Project, request: SecretRequest, placement: str, parameter: str) -> Iterator[FieldProblem]:
    """Yield what is wrong with a request whose fields are right one by one."""
    if request.host.startswith("*"):
        yield FieldProblem("host", "A secret has one host, without *: api.example.com.")
    else:
        for problem in project.network_refusals((request.host,)):
            text = f"This project may not reach {request.host}. Ask the administrator to allow the host."
            yield replace(problem, field="host", message=text)
    if placement == "basic" and ":" not in request.value:
        yield FieldProblem("value", "For basic, the value is user:password.")
    if placement == "header" and parameter.lower() in _OWN_HEADERS:
        yield FieldProblem("as", f"The header {parameter} belongs to the connection. Choose another one.")
    wrong = [path for path in request.paths if "//" in path or {".", ".."} & set(path.split("/"))]
    if wrong:
        yield FieldProblem("paths", "A path has no //, no . and no .. between its slashes.")


_UNKNOWN: Answer = ("`not_found`: the project has no such secret.", (Error,))
_SECRET: Answer = ("The secret, without its value.", (SecretView,))
_IN_PATH = (path("name", _NAME, "Name of the secret."),)

SECRET_ROUTES: tuple[Route[SecretRoutes], ...] = (
    Route(
        "PUT /api/secrets/{name}",
        SecretRoutes.put,
        "putSecret",
        "Make or replace a secret that programs use without seeing it",
        {
            200: _SECRET,
            400: BAD,
            403: ("`forbidden`: the project may not reach the host.", (Error,)),
            404: ("`not_found`: the path has a character that no name has.", (Error,)),
            409: (f"`conflict`: the project has {MAX_SECRETS} secrets.", (Error,)),
            **TAKES_BODY,
        },
        _IN_PATH,
        SecretRequest,
        examples={"typical": {"value": {"value": "ghp_example0000", "host": "api.github.com", "as": "bearer"}}},
        rights=("secrets",),
    ),
    Route(
        "GET /api/secrets",
        SecretRoutes.page,
        "listSecrets",
        "The project's secrets, without their values",
        {200: ("All of them, by name.", (SecretPage,)), **KEYED},
        rights=("read", "secrets"),
    ),
    Route(
        "GET /api/secrets/{name}",
        SecretRoutes.one,
        "getSecret",
        "One secret, without its value",
        {200: _SECRET, 404: _UNKNOWN, **KEYED},
        _IN_PATH,
        rights=("read", "secrets"),
    ),
    Route(
        "DELETE /api/secrets/{name}",
        SecretRoutes.delete,
        "deleteSecret",
        "Delete a secret; runs that were accepted before keep it",
        {200: ("It is deleted.", (SecretDeleted,)), 404: _UNKNOWN, **KEYED},
        _IN_PATH,
        rights=("secrets",),
    ),
)
