"""The table of Judge0's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.dialects.judge0.requests import judge0_problems
from functions.dialects.judge0.routes import Judge0Routes
from functions.dialects.judge0.views import STATUSES
from functions.dialects.resolver import Dialect, DialectRoute
from functions.dialects.routes import answering, refusing
from functions.errors import BadRequestError, ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABOUT = {
    "version": "1.13.1",
    "homepage": "https://judge0.com",
    "source_code": "https://github.com/judge0/judge0",
    "maintainer": "Herman Zvonimir Došilović <hermanz.dosilovic@gmail.com>",
}
"""The version whose API this is. Clients require the other fields."""
_STATUSES = [{"id": id_, "description": text} for id_, text in STATUSES.items()]
_INVALID = 422
_NO_LIST = "Submissions are not listed here. GET /api/results lists those of the project."


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    if status == _INVALID:
        return status, judge0_problems((one["field"], one["message"]) for one in said["fields"])
    return status, {"error": said["message"]}


JUDGE0 = Dialect(
    "judge0",
    "x-auth-token",
    _error,
    Judge0Routes,
    (
        DialectRoute("GET", "/judge0/about", answering(_ABOUT)),
        DialectRoute("POST", "/judge0/authenticate", answering({})),
        DialectRoute("POST", "/judge0/authorize", answering({})),
        DialectRoute("GET", "/judge0/config_info", Judge0Routes.config_info),
        DialectRoute("GET", "/judge0/statuses", answering(_STATUSES)),
        DialectRoute("GET", "/judge0/languages", Judge0Routes.languages),
        DialectRoute("GET", "/judge0/languages/{id}", Judge0Routes.language),
        # As its server without an administrator's token, and by default.
        DialectRoute("GET", "/judge0/submissions", refusing(ForbiddenError, _NO_LIST)),
        DialectRoute("POST", "/judge0/submissions", Judge0Routes.create, "if_asked"),
        DialectRoute("GET", "/judge0/submissions/batch", Judge0Routes.batch),
        DialectRoute("POST", "/judge0/submissions/batch", Judge0Routes.create_batch),
        DialectRoute("GET", "/judge0/submissions/{token}", Judge0Routes.one),
        DialectRoute("DELETE", "/judge0/submissions/{token}", refusing(BadRequestError, "delete not allowed")),
    ),
)
