"""The table of Judge0's routes."""

from functions.dialects.dialect import row
from functions.dialects.judge0.routes import Judge0Routes
from functions.http.route import Route

JUDGE0_ROUTES: tuple[Route[Judge0Routes], ...] = (
    row("GET", "/judge0/about", Judge0Routes.about),
    row("POST", "/judge0/authenticate", Judge0Routes.authenticate),
    row("POST", "/judge0/authorize", Judge0Routes.authenticate),
    row("GET", "/judge0/config_info", Judge0Routes.config_info),
    row("GET", "/judge0/statuses", Judge0Routes.statuses),
    row("GET", "/judge0/languages", Judge0Routes.languages),
    row("GET", "/judge0/languages/all", Judge0Routes.all_languages),
    row("GET", "/judge0/languages/{id}", Judge0Routes.language),
    row("GET", "/judge0/submissions", Judge0Routes.page),
    row("POST", "/judge0/submissions", Judge0Routes.create),
    row("GET", "/judge0/submissions/batch", Judge0Routes.batch),
    row("POST", "/judge0/submissions/batch", Judge0Routes.create_batch),
    row("GET", "/judge0/submissions/{token}", Judge0Routes.one),
    row("DELETE", "/judge0/submissions/{token}", Judge0Routes.delete),
)
