"""The table of Piston's routes."""

from functions.dialects.dialect import row
from functions.dialects.piston.routes import PistonRoutes
from functions.http.route import Route

PISTON_ROUTES: tuple[Route[PistonRoutes], ...] = (row("GET", "/piston/api/v2/runtimes", PistonRoutes.runtimes),)
