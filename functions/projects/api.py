"""The routes of /api/projects. They need the administrator's key."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.aws.dynamodb.row_codec import changes
from functions.aws.dynamodb.table import cut, tries
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import ConflictError, NotFoundError
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.openapi.operation import KEYED, NO_ADMIN_KEY, NOT_JSON, PAGE, PROJECT_ID, Answer, path
from functions.http.parameters import NAMED_KEY, page_limit, start_after, uuid
from functions.http.resolver import Resolver, Route
from functions.http.validation import Problems, parse_body
from functions.ids import new_id
from functions.projects.authentication import require_admin
from functions.projects.bodies import (
    ChangeKeyRequest,
    ChangeProjectRequest,
    CreateProjectRequest,
    IssuedKeyBody,
    IssueKeyRequest,
    KeyBody,
    KeyPage,
    ProjectBody,
    ProjectPage,
    changed,
    issued_key_body,
    key_body,
    parse_issue,
    project_body,
    project_id,
)
from functions.projects.changes import Change, record
from functions.projects.model import KeyRecord, Project, ProjectRecord
from functions.projects.store import SHOWN_CHARS, KeyStore, ProjectStore, list_position, new_key

# Routes of /api/projects. Every change is logged with its ids, and written with an event: see `changes`.

NO_SUCH_PROJECT = "There is no such project."
_LIST = "/projects"  # owner of the cursors of the project list; not a project id
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ProjectRoutes:
    """Handlers. All of them raise ServiceError."""

    env: Env

    def create(self, app: Resolver) -> Response[str]:
        require_admin(app, self.env)
        problems = Problems()
        request = parse_body(CreateProjectRequest, json_body(app.current_event), problems)
        project = changed(Project(new_id(), request.name), request, problems)
        made = Change(project.project_id, "project.created", project.project_id, None, _shown(project))
        created_at = record(
            self.env, app.current_event, made, lambda also: self.env[ProjectStore].create_project(project, also)
        )
        self.env.log.info("Project created", project_id=project.project_id, request_id=app.request_id)
        return answer(project_body(ProjectRecord(project, created_at)))

    def page(self, app: Resolver) -> Response[str]:
        require_admin(app, self.env)
        query = app.current_event.query_string_parameters
        after = start_after(query, _LIST, NAMED_KEY)
        page = self.env[ProjectStore].page(page_limit(query), after)
        return page_answer(_LIST, page, project_body, list_position)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        require_admin(app, self.env)
        return answer(project_body(find_project(self.env, id_text)))

    def change(self, app: Resolver, id_text: str) -> Response[str]:
        require_admin(app, self.env)
        known, problems = project_id(id_text), Problems()
        request = parse_body(ChangeProjectRequest, json_body(app.current_event), problems)
        for _ in tries(_TRIES):
            before = find_project(self.env, known)
            wanted = changed(before.project, request, problems)
            is_on, enabled = before.disabled_at is None, request.enabled
            views = _shown(before.project, is_on=is_on), _shown(wanted, is_on=is_on if enabled is None else enabled)
            after = record(
                self.env,
                app.current_event,
                Change(known, "project.changed", known, *views),
                partial(self.env[ProjectStore].change, before, wanted, enabled=enabled),
            )
            if after is not None:
                self._log_change(app, before, after)
                return answer(project_body(after))
        raise ConflictError("Other requests keep changing this project. Repeat the request.")

    def _log_change(self, app: Resolver, before: ProjectRecord, after: ProjectRecord) -> None:
        fields = [*changes(before.project, after.project)[0]]
        known = after.project.project_id
        if fields:
            self.env.log.info("Project changed", project_id=known, fields=fields, request_id=app.request_id)
        if (before.disabled_at is None) != (after.disabled_at is None):
            phrase = "Project disabled" if after.disabled_at else "Project enabled"
            self.env.log.info(phrase, project_id=known, request_id=app.request_id)


def _shown(project: Project, *, is_on: bool = True) -> dict[str, Any]:
    """Return the settings of a project for the log of changes."""
    body = project_body(ProjectRecord(project, "", None if is_on else ""))
    return {name: value for name, value in body.items() if not name.endswith("_at") and name != "id"}


def find_project(env: Env, id_text: str) -> ProjectRecord:
    """Return a project. Raises BadRequestError, NotFoundError."""
    found = env[ProjectStore].get(project_id(id_text))
    if found is None:
        raise NotFoundError(NO_SUCH_PROJECT)
    return found


# Routes of /api/projects/{id}/keys. Every change is logged with ids, never with a key.

MAX_KEYS = 200
"""The most keys of a project: `list_all` reads them in one go."""
_NO_SUCH_KEY = "There is no such key in this project."


@dataclass(frozen=True, slots=True)
class KeyRoutes:
    """Handlers. All of them raise ServiceError."""

    env: Env

    def issue(self, app: Resolver, id_text: str) -> Response[str]:
        require_admin(app, self.env)
        project_id = find_project(self.env, id_text).project.project_id
        request = parse_issue(json_body(app.current_event) if app.current_event.body else b"", self.env.clock)
        if len(self.env[KeyStore].list_all(project_id)) >= MAX_KEYS:
            raise ConflictError(f"The project has {MAX_KEYS} keys. Revoked ones leave the list after 90 days.")
        api_key = new_key()
        made = KeyRecord(
            key_id=new_id(),
            project_id=project_id,
            prefix=api_key[:SHOWN_CHARS],
            created_at=to_rfc3339(self.env.clock()),
            expires_at=request.expires_at,
            name=request.name,
            rights=None if request.rights is None else tuple(request.rights),
        )
        change = Change(project_id, "key.issued", made.key_id, None, _shown_key(made))
        if not record(self.env, app.current_event, change, partial(self._keys.add, made, api_key)):
            raise NotFoundError(NO_SUCH_PROJECT)
        self._log_change(app, "Key issued", made)
        return answer(issued_key_body(made, api_key))

    def page(self, app: Resolver, id_text: str) -> Response[str]:
        require_admin(app, self.env)
        query = app.current_event.query_string_parameters
        limit = page_limit(query)
        project_id = find_project(self.env, id_text).project.project_id
        owner = f"{project_id}/keys"  # not a project id, so a cursor of another list is refused
        after = start_after(query, owner)
        page = cut(self.env[KeyStore].list_all(project_id), limit, _position, after)
        return page_answer(owner, page, key_body, _position)

    def change(self, app: Resolver, id_text: str, key_id_text: str) -> Response[str]:
        require_admin(app, self.env)
        project_id = find_project(self.env, id_text).project.project_id
        key_id = uuid(key_id_text)
        request = parse_body(ChangeKeyRequest, json_body(app.current_event))
        before = self._keys.get(project_id, key_id)
        if before is None:
            raise NotFoundError(_NO_SUCH_KEY)
        views = _shown_key(before), _shown_key(replace(before, expires_at=request.expires_at))
        change = Change(project_id, "key.changed", key_id, *views)
        write = partial(self._keys.set_expiry, project_id, key_id, request.expires_at)
        changed = record(self.env, app.current_event, change, write)
        if changed is None:
            if self._keys.get(project_id, key_id) is None:
                raise NotFoundError(_NO_SUCH_KEY)
            raise ConflictError("The key is revoked, for good. Issue a new one.")
        self._log_change(app, "Key expiry changed", changed)
        return answer(key_body(changed))

    def revoke(self, app: Resolver, id_text: str, key_id_text: str) -> Response[str]:
        require_admin(app, self.env)
        project_id = find_project(self.env, id_text).project.project_id
        key_id = uuid(key_id_text)
        before = self._keys.get(project_id, key_id)
        if before is None:
            raise NotFoundError(_NO_SUCH_KEY)
        if before.revoked_at is not None:
            return answer(key_body(before))
        change = Change(project_id, "key.revoked", key_id, _shown_key(before))
        revoked = record(self.env, app.current_event, change, partial(self._keys.revoke, project_id, key_id))
        if revoked is None:
            raise NotFoundError(_NO_SUCH_KEY)
        self._log_change(app, "Key revoked", revoked)
        return answer(key_body(revoked))

    @property
    def _keys(self) -> KeyStore:
        return self.env[KeyStore]

    def _log_change(self, app: Resolver, phrase: str, key: KeyRecord) -> None:
        self.env.log.info(phrase, project_id=key.project_id, key_id=key.key_id, request_id=app.request_id)


def _shown_key(key: KeyRecord) -> KeyBody:
    """Return a key for the log of changes."""
    return key_body(replace(key, last_used_at=None))


def _position(key: KeyRecord) -> str:
    return f"{key.created_at}#{key.key_id}"


_KEY_ID = path("key_id", {"type": "string", "format": "uuid"}, "The key's id, not the key itself.")
_UNKNOWN: Answer = ("`not_found`: no such project.", (Error,))
_NO_KEY: Answer = ("`not_found`: no such project, or no such key in it.", (Error,))
_BAD: Answer = ("`bad_request`: a parameter is wrong, or the JSON is broken.", (Error,))
_PROJECT: Answer = ("The project as it is now.", (ProjectBody,))
_KEY: Answer = ("The key as it is now.", (KeyBody,))
_ADMIN: dict[int, Answer] = {400: _BAD, **KEYED, 401: NO_ADMIN_KEY}
_TAKES_BODY: dict[int, Answer] = {
    413: ("`too_large`: the body is over 1 MiB.", (Error, GatewayError)),
    415: NOT_JSON,
    422: ("`invalid`: fields are missing, mistyped or out of their bounds.", (InvalidError,)),
}


def _example(value: dict[str, Any]) -> dict[str, Any]:
    return {"typical": {"value": value}}


PROJECT_ROUTES: tuple[Route[ProjectRoutes], ...] = (
    Route(
        "POST /api/projects",
        ProjectRoutes.create,
        "createProject",
        "Create a project",
        {200: _PROJECT, **_TAKES_BODY, **_ADMIN},
        request=CreateProjectRequest,
        examples=_example({"name": "Spring course", "profiles": ["judge"], "quotas": {"judge": {"per_minute": 600}}}),
        security="AdminKey",
    ),
    Route(
        "GET /api/projects",
        ProjectRoutes.page,
        "listProjects",
        "All projects, newest first",
        {200: ("One page.", (ProjectPage,)), **_ADMIN},
        PAGE,
        security="AdminKey",
    ),
    Route(
        "GET /api/projects/{id}",
        ProjectRoutes.one,
        "getProject",
        "One project",
        {200: _PROJECT, 404: _UNKNOWN, **_ADMIN},
        (PROJECT_ID,),
        security="AdminKey",
    ),
    Route(
        "PATCH /api/projects/{id}",
        ProjectRoutes.change,
        "changeProject",
        "Rename, disable or enable a project; change its profiles and quotas",
        {
            200: _PROJECT,
            404: _UNKNOWN,
            409: ("`conflict`: other requests kept changing the project at the same time.", (Error,)),
            **_TAKES_BODY,
            **_ADMIN,
        },
        (PROJECT_ID,),
        ChangeProjectRequest,
        examples=_example({"enabled": False, "quotas": {"judge": {"per_day": 5000}, "agent": None}}),
        security="AdminKey",
    ),
)
KEY_ROUTES: tuple[Route[KeyRoutes], ...] = (
    Route(
        "POST /api/projects/{id}/keys",
        KeyRoutes.issue,
        "issueKey",
        "Issue an API key",
        {
            200: ("The key. It is shown only here.", (IssuedKeyBody,)),
            404: _UNKNOWN,
            409: ("`conflict`: the project has 200 keys.", (Error,)),
            **_TAKES_BODY,
            **_ADMIN,
        },
        (PROJECT_ID,),
        IssueKeyRequest,
        examples=_example({"name": "Page of the course", "rights": ["run"], "expires_at": "2099-01-31T12:00:00Z"}),
        body_required=False,
        security="AdminKey",
    ),
    Route(
        "GET /api/projects/{id}/keys",
        KeyRoutes.page,
        "listKeys",
        "A project's API keys, newest first",
        {200: ("One page.", (KeyPage,)), 404: _UNKNOWN, **_ADMIN},
        (PROJECT_ID, *PAGE),
        security="AdminKey",
    ),
    Route(
        "PATCH /api/projects/{id}/keys/{key_id}",
        KeyRoutes.change,
        "changeKey",
        "Change the expiry of an API key",
        {
            200: _KEY,
            404: _NO_KEY,
            409: ("`conflict`: the key is revoked.", (Error,)),
            **_TAKES_BODY,
            **_ADMIN,
        },
        (PROJECT_ID, _KEY_ID),
        ChangeKeyRequest,
        examples=_example({"expires_at": "2099-01-31T12:00:00Z"}),
        security="AdminKey",
    ),
    Route(
        "DELETE /api/projects/{id}/keys/{key_id}",
        KeyRoutes.revoke,
        "revokeKey",
        "Revoke an API key for good; repeating the call is safe",
        {200: _KEY, 404: _NO_KEY, **_ADMIN},
        (PROJECT_ID, _KEY_ID),
        security="AdminKey",
    ),
)
