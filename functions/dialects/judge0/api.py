"""The table of Judge0's routes."""

from functions.dialects.dialect import row
from functions.dialects.judge0.routes import Judge0Routes
from functions.http.route import Route

JUDGE0_ROUTES: tuple[Route[Judge0Routes], ...] = (row("GET", "/judge0/about", Judge0Routes.about),)
