"""The table of Piston's routes."""

from functions.dialects.dialect import row
from functions.dialects.piston.routes import PistonRoutes
from functions.http.route import Route

_PACKAGES = "/piston/api/v2/packages"
PISTON_ROUTES: tuple[Route[PistonRoutes], ...] = (
    row("GET", "/piston", PistonRoutes.about),
    row("POST", "/piston/api/v2/execute", PistonRoutes.execute),
    row("GET", "/piston/api/v2/runtimes", PistonRoutes.runtimes),
    row("GET", _PACKAGES, PistonRoutes.packages),
    row("POST", _PACKAGES, PistonRoutes.change_packages),
    row("DELETE", _PACKAGES, PistonRoutes.change_packages),
)
