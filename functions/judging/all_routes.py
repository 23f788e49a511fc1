"""All routes of judging, for the OpenAPI document."""

from functions.http.route import Route
from functions.judging.api import JUDGE_ROUTES
from functions.judging.problems.api import PROBLEM_ROUTES
from functions.judging.problems.routes import ProblemRoutes
from functions.judging.routes import JudgeRoutes

ALL_JUDGING_ROUTES: tuple[Route[JudgeRoutes] | Route[ProblemRoutes], ...] = (*JUDGE_ROUTES, *PROBLEM_ROUTES)
