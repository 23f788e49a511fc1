"""The routes of /api/problems, with their part of the OpenAPI document."""

from typing import Any

from functions.http.openapi.bodies import Error, GatewayError
from functions.http.openapi.operation import BAD, KEYED, LIMITED, PAGE, TAKES_BODY, Answer, path
from functions.http.route import Route
from functions.judging.problems.body import ProblemBody
from functions.judging.problems.routes import ProblemRoutes
from functions.judging.problems.views import ProblemDeleted, ProblemDetails, ProblemPage, ProblemPushed

_NAME = path("name", {"type": "string"}, "`id`, or `id@version`. Without a version: the one that was pushed last.")
_UNKNOWN: Answer = ("`not_found`: the project has no such problem or version.", (Error,))
_EXAMPLES: dict[str, Any] = {
    "typical": {
        "value": {
            "id": "sum",
            "cases": [
                {"id": "sample-1", "stdin": "1 2\n", "expected": "3\n"},
                {
                    "id": "large-1",
                    "stdin_sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                    "expected": "42\n",
                    "visibility": "verdict",
                },
            ],
            "limits": {"cpu_time_secs": 2},
        }
    }
}

PROBLEM_ROUTES: tuple[Route[ProblemRoutes], ...] = (
    Route(
        "POST",
        "/api/problems",
        ProblemRoutes.push,
        "pushProblem",
        "Store a problem, or a new version of it",
        {
            200: ("Stored. Equal content has the same version.", (ProblemPushed,)),
            400: ("`bad_request`: the JSON is broken.", (Error,)),
            409: (
                "`files_missing`: the project does not store files that it names; `missing` has them.",
                (Error,),
            ),
            **TAKES_BODY,
            413: ("`too_large`: the body is over 5 MiB. The gateway answers this over 6 MB.", (Error, GatewayError)),
            429: LIMITED,
        },
        request=ProblemBody,
        examples=_EXAMPLES,
    ),
    Route(
        "GET",
        "/api/problems",
        ProblemRoutes.page,
        "listProblems",
        "The project's problems",
        {200: ("One page.", (ProblemPage,)), 400: BAD, **KEYED},
        PAGE,
    ),
    Route(
        "GET",
        "/api/problems/{name}",
        ProblemRoutes.one,
        "getProblem",
        "One problem, without any part of its cases",
        {200: ("A version.", (ProblemDetails,)), 404: _UNKNOWN, **KEYED},
        (_NAME,),
    ),
    Route(
        "DELETE",
        "/api/problems/{name}",
        ProblemRoutes.delete,
        "deleteProblem",
        "Delete a problem, or one of its versions",
        {
            200: ("Gone. Judge runs that began keep their cases.", (ProblemDeleted,)),
            404: _UNKNOWN,
            409: ("`conflict`: the version was pushed last, or the problem was pushed meanwhile.", (Error,)),
            **KEYED,
        },
        (_NAME,),
    ),
)
