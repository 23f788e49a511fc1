"""The routes of /api/projects. They need the administrator's key."""

from typing import Any

from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.openapi.operation import KEYED, NO_ADMIN_KEY, NOT_JSON, PAGE, PROJECT_ID, Answer, path
from functions.http.route import Route
from functions.projects.key_routes import KeyRoutes
from functions.projects.requests import (
    ChangeKeyRequest,
    ChangeProjectRequest,
    CreateProjectRequest,
    IssueKeyRequest,
)
from functions.projects.routes import ProjectRoutes
from functions.projects.views import IssuedKeyBody, KeyBody, KeyPage, ProjectBody, ProjectPage

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
        "POST",
        "/api/projects",
        ProjectRoutes.create,
        "createProject",
        "Create a project",
        {200: _PROJECT, **_TAKES_BODY, **_ADMIN},
        request=CreateProjectRequest,
        examples=_example({"name": "Spring course", "profiles": ["judge"], "quotas": {"judge": {"per_minute": 600}}}),
        security="AdminKey",
    ),
    Route(
        "GET",
        "/api/projects",
        ProjectRoutes.page,
        "listProjects",
        "All projects, newest first",
        {200: ("One page.", (ProjectPage,)), **_ADMIN},
        PAGE,
        security="AdminKey",
    ),
    Route(
        "GET",
        "/api/projects/{id}",
        ProjectRoutes.one,
        "getProject",
        "One project",
        {200: _PROJECT, 404: _UNKNOWN, **_ADMIN},
        (PROJECT_ID,),
        security="AdminKey",
    ),
    Route(
        "PATCH",
        "/api/projects/{id}",
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
        "POST",
        "/api/projects/{id}/keys",
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
        examples=_example({"expires_at": "2099-01-31T12:00:00Z"}),
        body_required=False,
        security="AdminKey",
    ),
    Route(
        "GET",
        "/api/projects/{id}/keys",
        KeyRoutes.page,
        "listKeys",
        "A project's API keys, newest first",
        {200: ("One page.", (KeyPage,)), 404: _UNKNOWN, **_ADMIN},
        (PROJECT_ID, *PAGE),
        security="AdminKey",
    ),
    Route(
        "PATCH",
        "/api/projects/{id}/keys/{key_id}",
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
        "DELETE",
        "/api/projects/{id}/keys/{key_id}",
        KeyRoutes.revoke,
        "revokeKey",
        "Revoke an API key for good; repeating the call is safe",
        {200: _KEY, 404: _NO_KEY, **_ADMIN},
        (PROJECT_ID, _KEY_ID),
        security="AdminKey",
    ),
)
