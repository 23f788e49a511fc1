"""The table of Piston's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.dialects.piston.routes import PistonRoutes
from functions.dialects.resolver import Dialect, DialectRoute
from functions.dialects.routes import answering, refusing
from functions.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping

_INVALID = 422
_NO_PACKAGES = "The languages of this service are part of its runners: no request installs or removes one."


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    if status == _INVALID:
        return 400, {"message": " ".join(f"{one['field']}: {one['message']}" for one in said["fields"])}
    is_type = said["error"] == "unsupported_media_type"
    return status, {"message": "requests must be of type application/json" if is_type else said["message"]}


PISTON = Dialect(
    "piston",
    "authorization",
    _error,
    PistonRoutes,
    (
        DialectRoute("GET", "/piston", answering({"message": "Piston v3.1.1"})),
        DialectRoute("POST", "/piston/api/v2/execute", PistonRoutes.execute, "by_default"),
        DialectRoute("GET", "/piston/api/v2/runtimes", PistonRoutes.runtimes),
        DialectRoute("GET", "/piston/api/v2/packages", PistonRoutes.packages),
        DialectRoute("POST", "/piston/api/v2/packages", refusing(ForbiddenError, _NO_PACKAGES)),
        DialectRoute("DELETE", "/piston/api/v2/packages", refusing(ForbiddenError, _NO_PACKAGES)),
    ),
)
